import base64
import hashlib

import pytest

from gproxy.worker.identity import distinguished_name, identity_lines


def named(*parts: tuple[str, str]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return a name as ssl decodes it, one value in each of its parts."""
    return tuple((part,) for part in parts)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((), ""),
        (named(("commonName", "alice")), "CN=alice"),
        (named(("countryName", "DE"), ("organizationName", "Acme"), ("commonName", "alice")), "CN=alice,O=Acme,C=DE"),
        (((("organizationalUnitName", "a"), ("commonName", "b")),), "OU=a+CN=b"),
        (named(("emailAddress", "a@b")), "emailAddress=a@b"),
        (named(("commonName", 'a,b+"c"\\<d>;=#')), r"CN=a\,b\+\"c\"\\\<d\>\;\=\#"),
        (named(("commonName", " a b ")), r"CN=\ a b\ "),
        (named(("commonName", "Ä")), r"CN=\C3\84"),
        (named(("commonName", "a\r\nHost: evil\0")), r"CN=a\0D\0AHost: evil\00"),
    ],
)
def test_names_as_rfc_4514_writes_them(parts: object, text: str) -> None:
    assert distinguished_name(parts) == text


def test_field_lines() -> None:
    der = bytes(range(256))
    lines = identity_lines(der, {"subject": named(("commonName", "alice"))}).split(b"\r\n")
    assert lines == [
        b"Client-Cert: :" + base64.b64encode(der) + b":",
        b"X-Client-Cert-Subject: CN=alice",
        b"X-Client-Cert-Fingerprint: " + hashlib.sha256(der).hexdigest().encode(),
        b"",
    ]
