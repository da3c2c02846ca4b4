import pytest

from gproxy.core.jwt_keys import BadKey
from gproxy.core.key_source import KeySource, fetched_name
from tests.harness.tokens import SECRET, issuer, jwks

NONE = dict.fromkeys(("secret", "secret_file", "public_key", "public_key_file", "jwks_file", "jwks_url"))


def source(algorithm: str = "ES256", **given: str) -> KeySource:
    return KeySource.compile({**NONE, "algorithms": [algorithm], "refresh_s": 60.0, **given})


def test_sources() -> None:
    assert source("HS256", secret=SECRET)[:4] == ("secret", SECRET, "", "")
    assert source(public_key_file="/k.pem")[:4] == ("public_key", "", "/k.pem", "")
    assert source(jwks_url="https://a/k")[:4] == ("jwks", "", "", "https://a/k")
    with pytest.raises(ValueError, match="no source"):
        source()


def test_texts_are_read_by_their_form() -> None:
    assert source(public_key="x").read(issuer("ES256").pem().encode()).keys
    assert source(jwks_url="https://a/k").read(jwks(issuer("ES256", "k").jwk())).keys[0].kid == "k"
    assert source("HS256", secret=SECRET).read(SECRET.encode()).keys
    with pytest.raises(BadKey):
        source(jwks_file="/k").read(b"x")


def test_the_line_end_of_a_secret_in_a_file_is_none_of_it() -> None:
    inline, filed = source("HS256", secret=SECRET), source("HS256", secret_file="/s")
    assert filed.read(SECRET.encode() + b"\r\n").version == inline.read(SECRET.encode()).version
    assert inline.read(SECRET.encode() + b"\n").version != inline.read(SECRET.encode()).version


def test_names_of_fetched_files_are_names() -> None:
    names = {fetched_name(url) for url in ("https://a/../../etc/x", "https://a/k", "https://a/k?x")}
    assert len(names) == 3
    assert all(len(name) == 37 and name.endswith(".json") and name[:-5].isalnum() for name in names)
