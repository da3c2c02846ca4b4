import ipaddress
from collections.abc import Callable

import pytest

from gproxy.core.http1 import split_fields
from gproxy.worker.forwarded import claimed_request_id, client_ip, origin, upstream_fields
from tests.worker.stage import Stage

TRUSTED = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"))


@pytest.fixture
def stage(staged: Callable[..., Stage]) -> Stage:
    return staged(gproxy={"trusted_proxies": ", ".join(map(str, TRUSTED))})


@pytest.mark.parametrize(
    ("ip", "text", "node", "is_trusted"),
    [
        ("127.0.0.1", b"127.0.0.1", b"127.0.0.1", False),
        ("10.1.2.3", b"10.1.2.3", b"10.1.2.3", True),
        ("::1", b"::1", b'"[::1]"', False),
        ("2001:DB8::0:5", b"2001:db8::5", b'"[2001:db8::5]"', True),
        ("fe80::1%eth0", b"fe80::1", b'"[fe80::1]"', False),
        ("::ffff:10.0.0.1", b"10.0.0.1", b"10.0.0.1", True),
        ("::ffff:11.0.0.1", b"11.0.0.1", b"11.0.0.1", False),
        ("", b"unknown", b"unknown", False),
    ],
)
def test_origins(ip: str, text: bytes, node: bytes, is_trusted: bool) -> None:
    found = origin(ip, TRUSTED)
    assert (found.ip, found.node, found.is_trusted) == (text, node, is_trusted)


def fields(stage: Stage, block: bytes, ip: str, minor: bytes = b"1") -> list[tuple[bytes, bytes]]:
    """Return the field lines for the server, without the ones the client sent and the request id."""
    exchange = stage.exchange(block, ip=ip, minor=minor)
    lines = split_fields(upstream_fields(exchange))
    assert lines.pop() == (b"X-Request-Id", exchange.request_id)
    sent = split_fields(exchange.fields.forward)
    assert lines[: len(sent)] == sent
    return sorted(lines[len(sent) :])


@pytest.mark.parametrize(
    ("ip", "address", "node"),
    [("1.2.3.4", b"1.2.3.4", b"1.2.3.4"), ("::1", b"::1", b'"[::1]"'), ("", b"unknown", b"unknown")],
)
@pytest.mark.parametrize(
    "claims", [b"", b"X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Forwarded-Proto: x\r\n"]
)
def test_a_client_is_described_by_what_we_see(
    stage: Stage, ip: str, address: bytes, node: bytes, claims: bytes
) -> None:
    assert fields(stage, b"Host: A:80\r\nA: b\r\n" + claims, ip) == [
        (b"Forwarded", b'for=%b;proto=http;host="A:80"' % node),
        (b"Via", b"1.1 gproxy"),
        (b"X-Forwarded-For", address),
        (b"X-Forwarded-Host", b"A:80"),
        (b"X-Forwarded-Proto", b"http"),
    ]


def test_a_trusted_proxy_without_claims_is_a_client(stage: Stage) -> None:
    assert fields(stage, b"Host: a\r\n", "10.0.0.1") == [
        (b"Forwarded", b'for=10.0.0.1;proto=http;host="a"'),
        (b"Via", b"1.1 gproxy"),
        (b"X-Forwarded-For", b"10.0.0.1"),
        (b"X-Forwarded-Host", b"a"),
        (b"X-Forwarded-Proto", b"http"),
    ]


def test_the_claims_of_a_trusted_proxy_are_kept_and_its_address_added(stage: Stage) -> None:
    block = (
        b"Host: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: shop.de\r\nForwarded: for=9.9.9.9;proto=https\r\n"
    )
    assert fields(stage, block, "2001:db8::1") == [
        (b"Forwarded", b'for=9.9.9.9;proto=https, for="[2001:db8::1]";proto=http;host="a"'),
        (b"Via", b"1.1 gproxy"),
        (b"X-Forwarded-For", b"9.9.9.9, 8.8.8.8, 2001:db8::1"),
        (b"X-Forwarded-Host", b"shop.de"),
        (b"X-Forwarded-Proto", b"https"),
    ]


def test_a_trusted_proxy_may_claim_a_part(stage: Stage) -> None:
    assert fields(stage, b"Host: a\r\nX-Forwarded-Proto: https\r\n", "10.0.0.1") == [
        (b"Forwarded", b'for=10.0.0.1;proto=http;host="a"'),
        (b"Via", b"1.1 gproxy"),
        (b"X-Forwarded-For", b"10.0.0.1"),
        (b"X-Forwarded-Host", b"a"),
        (b"X-Forwarded-Proto", b"https"),
    ]


def test_via_of_the_client_stays_before_ours(stage: Stage) -> None:
    exchange = stage.exchange(b"Host: a\r\nVia: 1.1 first\r\n")
    assert [value for name, value in split_fields(upstream_fields(exchange)) if name == b"Via"] == [
        b"1.1 first",
        b"1.1 gproxy",
    ]


@pytest.mark.parametrize(
    ("ip", "claim", "expected"),
    [
        ("10.0.0.1", b"abc-DEF_1.2:3@4/5+6=", b"abc-DEF_1.2:3@4/5+6="),
        ("10.0.0.1", b"x" * 128, b"x" * 128),
        ("10.0.0.1", b"x" * 129, None),
        ("10.0.0.1", b"", None),
        ("10.0.0.1", b"a b", None),
        ("10.0.0.1", b'a"b', None),
        ("10.0.0.1", b"\xe9", None),
        ("11.0.0.1", b"abc", None),
        ("", b"abc", None),
    ],
)
def test_request_ids(stage: Stage, ip: str, claim: bytes, expected: bytes | None) -> None:
    assert claimed_request_id(stage.exchange(b"Host: a\r\nX-Request-Id: %b\r\n" % claim, ip=ip)) == expected


@pytest.mark.parametrize(
    ("ip", "chain", "expected"),
    [
        ("1.1.1.1", None, "1.1.1.1"),
        ("1.1.1.1", b"9.9.9.9", "1.1.1.1"),
        ("", b"9.9.9.9", "unknown"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", b"9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", b"8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", b"8.8.8.8,, 9.9.9.9 ,10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", b"9.9.9.9, 2001:db8::7", "9.9.9.9"),
        ("10.0.0.1", b"2001:DB9::7", "2001:db9::7"),
        ("10.0.0.1", b"9.9.9.9, ::ffff:10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", b"9.9.9.9, unknown", "10.0.0.1"),
        ("10.0.0.1", b"9.9.9.9, _hidden, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", b"9.9.9.9:4711", "10.0.0.1"),
        ("10.0.0.1", b"fe80::1%eth0", "fe80::1"),
        ("10.0.0.1", b'fe80::1%" \xe9', "fe80::1"),
    ],
)
def test_the_address_of_the_client_itself(stage: Stage, ip: str, chain: bytes | None, expected: str) -> None:
    block = b"Host: a\r\n" + (b"X-Forwarded-For: %b\r\n" % chain if chain is not None else b"")
    assert client_ip(stage.exchange(block, ip=ip), TRUSTED) == expected


def test_what_a_trusted_proxy_says_in_other_fields_is_passed_on(stage: Stage) -> None:
    block = b"Host: a\r\nX-Forwarded-Port: 8443\r\nx-forwarded-prefix: /app\r\nClient-Cert: :YQ==:\r\n"
    found = dict(fields(stage, block, "10.1.2.3"))
    assert found[b"X-Forwarded-Port"] == b"8443"
    assert found[b"X-Forwarded-Prefix"] == b"/app"
    assert found[b"Client-Cert"] == b":YQ==:"
    assert (
        not {b"X-Forwarded-Port", b"X-Forwarded-Prefix", b"Client-Cert"} & dict(fields(stage, block, "1.2.3.4")).keys()
    )


def test_a_client_over_tls(stage: Stage) -> None:
    peer = origin("1.2.3.4", TRUSTED)
    secure = peer.over_tls(b"Client-Cert: :YQ==:\r\n")
    assert (secure.ip, secure.scheme, secure.is_trusted) == (b"1.2.3.4", b"https", False)
    assert secure.lines == (
        b"Client-Cert: :YQ==:\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nVia: 1.1 gproxy\r\n"
        b"Forwarded: for=1.2.3.4;proto=https"
    )


@pytest.mark.parametrize(("ip", "has_address"), [("", False), ("::1", True), ("10.0.0.1", True)])
def test_clients_of_unix_sockets_have_no_address(ip: str, has_address: bool) -> None:
    assert origin(ip, TRUSTED).has_address is has_address
