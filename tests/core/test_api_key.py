import hashlib

from gproxy.core.api_key import KeyRing


def key(consumer: str, text: str) -> dict[str, str]:
    return {"consumer": consumer, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_keys_are_known_by_their_hash() -> None:
    ring = KeyRing([key("acme", "one"), key("acme", "two"), key("other", "three")])
    assert [ring.consumer(text) for text in (b"one", b"two", b"three")] == [b"acme", b"acme", b"other"]
    assert ring.consumer(b"four") is None
    assert ring.consumer(hashlib.sha256(b"one").hexdigest().encode()) is None


def test_hashes_that_begin_alike_are_told_apart() -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    alike = digest[:-2] + ("00" if digest[-2:] != "00" else "11")
    ring = KeyRing([{"consumer": "alike", "sha256": alike}, key("acme", "one")])
    assert ring.consumer(b"one") == b"acme"
