r"""Regular expressions that users write: they run on RE2, and within a budget of work.

RE2 knows no backtracking, so its time is linear in the length of the text. But it is proportional to the size of the
expression as well, as soon as that has too many states to be remembered: `(a?){1000}b` takes 3 s for 32 KB. So size
times length is bounded: an expression is found in texts up to a length that depends on its size, and in no longer one.
For one that a person would write, that is more than a request head can hold (`^/v(\d+)/(.+)$`: 52,000 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import re2

#: Size (instructions of RE2) times length (bytes) of what one search may look at: about 10 ms in the worst case.
MOST_WORK: Final = 1_000_000
#: The largest expression: it still works on texts of 400 bytes. A class like `\pL` is 1,200 instructions.
MOST_SIZE: Final = 2_500
#: What RE2 may take to remember states of one expression, in bytes; a worker may hold thousands of them.
_MEMORY: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled expression for bytes; `most_bytes` is how long a text may be to be looked at."""

    most_bytes: int
    _compiled: Any

    @classmethod
    def compile(cls, text: str, most_work: int = MOST_WORK) -> Regex:
        """Compile an expression; raises ValueError with a sentence for the user."""
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            compiled = re2.compile(text.encode("utf-8"), options)
        except re2.error as problem:
            raise ValueError(f"not a regular expression of RE2: {problem.args[0].decode(errors='replace')}") from None
        size = max(compiled.programsize, compiled.reverseprogramsize, 1)
        if size > MOST_SIZE:
            raise ValueError(f"a regular expression of size {size} is too large, the most is {MOST_SIZE}")
        return cls(most_work // size, compiled)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the groups in order, an unnamed one's is its number."""
        named = {number: name.decode() for name, number in self._compiled.groupindex.items()}
        return tuple(named.get(number, str(number)) for number in range(1, self._compiled.groups + 1))

    def search(self, text: bytes) -> Any:
        """Return the first match in a text, None when there is none or the text is too long."""
        return self._compiled.search(text) if len(text) <= self.most_bytes else None
