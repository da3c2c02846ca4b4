"""What the body of a part is within the whole: JSON as it is, nothing as null, everything else as a string."""

from __future__ import annotations

import re
import zlib
from typing import Final

from gproxy.core.json_check import Rest, no_rest
from gproxy.core.json_text import NULL, checked, quoted
from gproxy.core.part_head import Kind, PartHead

_BOM: Final = b"\xef\xbb\xbf"
#: Charsets that are read; some others that Python knows take quadratic time.
_CHARSETS: Final = re.compile(
    r"utf-?(?:8|16|32)(?:[lb]e)?|us-ascii|iso-?8859-\d+|windows-\d+|cp\d+|koi8-[ru]|"
    r"shift_jis|euc-(?:jp|kr)|iso-2022-jp|gb(?:2312|k|18030)|big5"
)
_GZIP_OR_ZLIB: Final = 47


def part_text(head: PartHead, data: bytes, rest: Rest = no_rest) -> bytes:
    """Return the JSON text that a body without content coding is in the whole.

    What says that it is JSON and is not becomes a string too. Characters that the charset (UTF-8 unless a known one is
    named) does not have become U+FFFD.
    """
    if not data:
        return NULL
    if head.kind is not Kind.TEXT:
        unicode = data if not head.charset or _is_unicode(head.charset) else _decoded(data, head.charset).encode()
        text = checked(unicode.removeprefix(_BOM), rest)
        if text is not None:
            return text
    string = _decoded(data, head.charset)
    rest()
    return quoted(string)


def _is_unicode(charset: str) -> bool:
    return charset.lower() in ("utf-8", "utf8", "us-ascii")


def _decoded(data: bytes, charset: str) -> str:
    name = charset.lower()
    try:
        return data.decode(name if _CHARSETS.fullmatch(name) else "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def uncoded(coding: bytes, data: bytes, most: int) -> bytes:
    """Return a body without its content coding; raises ValueError for another one than gzip and deflate, for what is
    not coded so, and for what is larger than `most` bytes.
    """
    if coding in (b"", b"identity"):
        return data
    if coding not in (b"gzip", b"x-gzip", b"deflate"):
        raise ValueError(f"content coding {coding.decode('latin-1')}")
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        found = decoder.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f"content coding {coding.decode('latin-1')}: {error}") from None
    if len(found) > most:
        raise ValueError(f"more than {most} bytes without its content coding")
    if not decoder.eof:
        raise ValueError("the coded body is incomplete")
    return found
