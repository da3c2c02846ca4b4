import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.networks import Networks, address, network

texts = st.one_of(
    st.ip_addresses().map(str),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda pair: ipaddress.ip_network(pair, False)).map(str),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(lambda pair: ipaddress.ip_network(pair, False)).map(str),
)


@given(st.lists(texts, max_size=8), st.lists(st.ip_addresses(), max_size=8))
def test_agrees_with_one_network_after_the_other(listed: list[str], others: list[ipaddress.IPv4Address]) -> None:
    made = Networks.compile(listed)
    inside = [ipaddress.ip_network(text)[-1] for text in listed]
    for ip in (*inside, *others):
        expected = any(ip in ipaddress.ip_network(text) for text in listed)
        assert made.has(str(ip).encode()) is expected, ip


@pytest.mark.parametrize("text", [b"", b"unknown", b"10.0.0", b"10.0.0.0/8", b"\xff"])
def test_what_is_no_address_is_in_no_set(text: bytes) -> None:
    assert not Networks.compile(["0.0.0.0/0", "::/0"]).has(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.1/8", "10.0.0.1/8 is an address within 10.0.0.0/8"),
        ("2001:db8::1/32", "within 2001:db8::/32"),
        ("10.0.0.0/33", "neither an address nor a network"),
        ("a.b", '"a.b" is neither'),
        ("", '"" is neither'),
    ],
)
def test_what_is_no_network_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        network(text)


def test_an_address_has_one_form() -> None:
    assert str(address("2001:DB8:0::1")) == "2001:db8::1"
    with pytest.raises(ValueError, match="is not an address"):
        address("10.0.0.0/8")
