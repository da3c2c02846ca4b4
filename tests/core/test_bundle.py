from gproxy.core.bundle import Bundle, Pair, Problem
from gproxy.core.server_names import Certificate


def pair(name: str, pem: bytes) -> Pair:
    return Pair(Certificate(name, ("a.test", "*.b.test"), 1, 2), "CN=ä", "CN=authority", "digest", "stamp", pem)


def test_what_was_packed_is_unpacked() -> None:
    bundle = Bundle(
        (pair("a", b"--pem--\n"), pair("b", b""), pair("c", b"\xff\x00\n\n")),
        (Problem("d", "because of ü", "1 2"),),
        "--authorities--\n",
    )
    assert Bundle.unpack(bundle.pack()) == bundle


def test_nothing_is_an_empty_bundle() -> None:
    assert Bundle.unpack(b"") == Bundle()
    assert Bundle.unpack(Bundle().pack()) == Bundle()


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(pair("a", b"secret"))
