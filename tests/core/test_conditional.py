import pytest

from gproxy.core.conditional import is_not_modified

EARLIER, LATER = b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.mark.parametrize(
    ("tags", "since", "etag", "modified", "holds"),
    [
        (b'"a"', b"", b'"a"', b"", True),
        (b'"b", "a"', b"", b'"a"', b"", True),
        (b'W/"a"', b"", b'"a"', b"", True),
        (b'"a"', b"", b'W/"a"', b"", True),
        (b"*", b"", b"", b"", True),
        (b'"a,b"', b"", b'"a,b"', b"", True),
        (b'"b"', b"", b'"a"', b"", False),
        (b'"a"', b"", b"", b"", False),
        (b"a", b"", b"a", b"", False),
        (b"", LATER, b"", EARLIER, True),
        (b"", EARLIER, b"", EARLIER, True),
        (b"", EARLIER, b"", LATER, False),
        (b"", b"soon", b"", EARLIER, False),
        (b"", LATER, b"", b"", False),
        (b'"b"', LATER, b'"a"', EARLIER, False),  # a tag counts more than a time
        (b"", b"", b'"a"', EARLIER, False),
    ],
)
def test_what_a_client_has_already(tags: bytes, since: bytes, etag: bytes, modified: bytes, holds: bool) -> None:
    assert is_not_modified(tags, since, etag, modified) is holds
