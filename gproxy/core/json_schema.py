"""JSON Schema, by jsonschema-rs: drafts 4, 6, 7, 2019-09 and 2020-12 (as `$schema` says, else the last one).

A schema is whole in itself: nothing is ever fetched for a `$ref`. Its patterns run in the linear engine of that
library, so that no text can make one run for long; look-around and back-references do not exist there. `format` is
checked. The library takes memory and is slow to load, so it is loaded when the first schema comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: The largest compiled pattern, in bytes: it is compiled in milliseconds.
_PATTERN_BYTES: Final = 1 << 20
#: Values that a problem quotes are shortened to so many characters, and so many problems are told.
_QUOTED: Final = 60
_MOST_TOLD: Final = 100


def load() -> None:
    """Load the library, which takes 30 ms or more: in a thread, when it is known that it is needed."""
    import jsonschema_rs  # noqa: F401


class Schema:
    """A compiled schema."""

    def __init__(self, validator: Any) -> None:
        self._validator = validator

    @classmethod
    def compile(cls, document: Mapping[str, Any]) -> Schema:
        """Compile a schema; raises ValueError with a sentence for the user."""
        import jsonschema_rs

        try:
            options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES)
            validator = jsonschema_rs.validator_for(
                dict(document), pattern_options=options, validate_formats=True, offline=True
            )
        except jsonschema_rs.ReferencingError as error:
            raise ValueError(f"not a JSON Schema: {error}") from None
        except jsonschema_rs.ValidationError as error:
            where = "".join(f"/{step}" for step in error.instance_path)
            raise ValueError(f"not a JSON Schema: {where + ': ' if where else ''}{error.message}") from None
        return cls(validator)

    def allows(self, value: Any) -> bool:
        """Say whether a JSON value is valid; raises ValueError for one that is nested too deeply to tell."""
        return bool(self._validator.is_valid(value))

    def problems(self, value: Any, all_of_them: bool) -> list[tuple[str, str]]:
        """Return (path, problem) of what is wrong with a value, or of the first only: all takes time for each."""
        if all_of_them:
            return sorted(_told(error) for error in self._validator.iter_errors(value))[:_MOST_TOLD]
        try:
            self._validator.validate(value)
        except ValueError as error:
            return [_told(error)]
        return []


def _told(error: Any) -> tuple[str, str]:
    """Return where an error is, as a path with dots, and its sentence without the value if that is a long one."""
    sentence = str(error.message)
    subject, middle, rest = sentence.partition(" is ")
    if middle and len(subject) > _QUOTED:
        sentence = f"{subject[:_QUOTED]}... is {rest}"
    return ".".join(str(step) for step in error.instance_path), sentence[: 5 * _QUOTED]
