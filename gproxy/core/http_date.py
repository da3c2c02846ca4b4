"""Dates of HTTP (RFC 9110 section 5.6.7): three forms are read, everything else is none."""

from __future__ import annotations

import re
from calendar import timegm
from functools import lru_cache
from typing import Final

_MONTHS: Final = {
    name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_CLOCK: Final = rb"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_MONTH: Final = rb"(?P<month>" + b"|".join(_MONTHS) + rb")"
_FORMS: Final = (
    re.compile(rb"[A-Z][a-z]{2}, (?P<day>\d\d) " + _MONTH + rb" (?P<year>\d{4}) " + _CLOCK + rb" GMT"),
    re.compile(rb"[A-Z][a-z]{5,8}, (?P<day>\d\d)-" + _MONTH + rb"-(?P<year>\d\d) " + _CLOCK + rb" GMT"),
    re.compile(rb"[A-Z][a-z]{2} " + _MONTH + rb" (?P<day>[ \d]\d) " + _CLOCK + rb" (?P<year>\d{4})"),
)
_LONGEST: Final = len(b"Wednesday, 06-Nov-94 08:49:37 GMT")
#: Two digits of a year mean this century up to here, the one before after it.
_LAST_SHORT_YEAR: Final = 69


def parse(text: bytes) -> int | None:
    """Return the seconds since 1970 that a date means, None when it is no date."""
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=64)
def _parsed(text: bytes) -> int | None:
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            break
    else:
        return None
    year, day = int(found["year"]), int(found["day"])
    if len(found["year"]) == 2:
        year += 2000 if year <= _LAST_SHORT_YEAR else 1900
    if not 1 <= day <= 31 or year < 1970:
        return None
    clock = int(found["hour"]), int(found["minute"]), int(found["second"])
    return timegm((year, _MONTHS[found["month"]], day, *clock))
