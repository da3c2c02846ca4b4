"""The one reading of a request path: what matching sees, and what it refuses to look at.

Strategy: a path is brought into a canonical form once, and everything else compares plain bytes. The
canonical form is the path with every percent escape decoded, except that a decoded slash is written `%2F`
and a decoded percent sign `%25`. So it can be split at "/" without ever taking an encoded slash for a
separator, two spellings of one path have one canonical form, and a path without "%" (nearly all of them)
is its own canonical form.

Dot segments are refused rather than removed: the target is forwarded as the client wrote it, so a path that
a backend may read as another one must not have been matched at all. "May read" is taken widely: `..` also
counts when it stands between encoded slashes or backslashes (servers that decode before they split) or
before `;` (servers that cut path parameters off). See RFC 3986 section 5.2.4 and CWE-22.
"""

import re

_DOT_SEGMENT = re.compile(rb"(?:/|\\|%2F)\.\.?(?=/|\\|%2F|;|\Z)")
# As a number, for a byte is found in bytes seven times as fast as a string of one byte.
_PERCENT = b"%"[0]
_HEX_DIGITS = "0123456789abcdefABCDEF"


def _decoding_table() -> dict[bytes, bytes]:
    """Return {two hexadecimal digits: their byte, as the canonical form writes it}; "00" is left out."""
    pairs = [high + low for high in _HEX_DIGITS for low in _HEX_DIGITS if high + low != "00"]
    table = {pair.encode(): bytes.fromhex(pair) for pair in pairs}
    table[b"2F"] = table[b"2f"] = b"%2F"
    table[b"25"] = b"%25"
    return table


_DECODED = _decoding_table()


def canonical(path: bytes) -> bytes:
    """Return the canonical form of a raw path without its query: b"/%61%2fb" gives b"/a%2Fb".

    Raises ValueError with a reason: no leading slash, a dot segment in any spelling, an invalid escape, an
    encoded NUL.
    """
    if path[:1] != b"/":
        raise ValueError("the path does not begin with /")
    if _PERCENT in path:
        path = _decode(path)
    if _DOT_SEGMENT.search(path):
        raise ValueError("the path has a dot segment")
    return path


def plain(canonical_segment: bytes) -> bytes:
    """Return the real bytes of one segment of a canonical path: b"a%2Fb" gives b"a/b"."""
    # The order matters: the canonical "%252F" stands for the three characters "%2F".
    return canonical_segment.replace(b"%2F", b"/").replace(b"%25", b"%")


def segments(path: bytes) -> list[bytes]:
    """Split a raw path at its literal slashes and decode each segment: b"/a%2Fb//c" is [b"a/b", b"", b"c"].

    Empty segments stay, so b"/" is [b""]. Raises ValueError as `canonical` does.
    """
    parts = canonical(path)[1:].split(b"/")
    return [plain(part) for part in parts] if _PERCENT in path else parts


def _decode(path: bytes) -> bytes:
    """Return the path with its escapes as the canonical form has them; ValueError on an invalid one."""
    decoded = _DECODED
    first, *rest = path.split(b"%")
    try:
        return first + b"".join([decoded[piece[:2]] + piece[2:] for piece in rest])
    except KeyError as missing:
        if missing.args[0] == b"00":
            raise ValueError("the path has an encoded NUL") from None
        raise ValueError("the path has an invalid percent escape") from None
