"""Moments as users write them (RFC 3339): `2026-12-24T18:00:00Z`, `2026-12-24T19:00:00.5+01:00`."""

import calendar
import re
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def seconds(text: str) -> float:
    """Return a moment in seconds since 1970 (UTC); raises ValueError with a sentence for the user."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f'must be a moment such as 2026-12-24T18:00:00Z, not "{text}"')
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    is_date = year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    if not is_date or hour > 23 or minute > 59 or second > 60:
        raise ValueError(f'"{text}" is no moment of the calendar')
    fraction, sign, hours, minutes = found.groups()[6:]
    offset_s = (int(hours) * 60 + int(minutes)) * 60 if sign else 0
    at_s = calendar.timegm((year, month, day, hour, minute, second))
    return at_s + float(fraction or 0) - (offset_s if sign != "-" else -offset_s)
