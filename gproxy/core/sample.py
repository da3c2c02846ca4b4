"""A sample of two answers that differ, as a short text that fits into shared memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from gproxy.core.comparison import Difference

#: Texts are cut to so many characters, tried in this order, until all fits.
_LENGTHS: Final = (2_000, 200, 40, 10)


def sample(about: Mapping[str, str | int], differences: Sequence[Difference], most: int) -> bytes:
    """Return JSON of at most `most` bytes (1,000 or more): the members of `about`, and as `differences` a list.

    What does not fit is left out, the last differences first; long texts are cut.
    """
    text = b""
    for length in _LENGTHS:
        shown = [{key: _cut(value, length) for key, value in found._asdict().items()} for found in differences]
        while shown:
            told = {key: _cut(value, length) if isinstance(value, str) else value for key, value in about.items()}
            text = json.dumps({**told, "differences": shown}, separators=(",", ":")).encode("ascii")
            if len(text) <= most:
                return text
            if len(shown) == 1:
                break
            shown.pop()
    return text


def _cut(text: str | None, length: int) -> str | None:
    return text if text is None or len(text) <= length else text[:length] + "..."
