"""Laws of PROXY headers."""

from __future__ import annotations

import ipaddress

from gproxy.core.proxy_protocol import MOST_HEADER_BYTES, Announcement, parse


def announcements(data: bytes) -> None:
    """A header ends where it ends, however much of it or of what follows is there; it names an address or none."""
    whole = _read(data)
    if isinstance(whole, Announcement):
        assert 0 < whole.size <= min(len(data), MOST_HEADER_BYTES)
        assert whole.source == "" or str(ipaddress.ip_address(whole.source)) == whole.source
        assert _read(data[: whole.size]) == whole
        assert _read(data + b"\r\nGET / HTTP/1.1") == whole
        # Either of these means "wait for more": what is refused too early would be lost.
        assert all(_read(data[:seen]) is None for seen in range(whole.size))
    elif whole is None:
        assert len(data) < MOST_HEADER_BYTES, "there is no end to waiting"
        assert all(_read(data[:seen]) is None for seen in range(len(data)))
    else:
        assert _read(data + b"\r\n") == whole, "what was refused is taken when more of it is there"


def _read(data: bytes) -> Announcement | str | None:
    """Return the header, None when it is not whole, "refused" when it is none."""
    try:
        return parse(data)
    except ValueError:
        return "refused"
