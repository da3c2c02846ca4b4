import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.access import AddressRule


@pytest.mark.parametrize(
    ("allow", "deny", "ip", "is_allowed"),
    [
        ([], [], "192.0.2.1", True),
        (["10.0.0.0/8"], [], "10.1.2.3", True),
        (["10.0.0.0/8"], [], "11.0.0.1", False),
        (["10.0.0.0/8"], [], "::1", False),
        ([], ["10.0.0.0/8"], "10.1.2.3", False),
        ([], ["10.0.0.0/8"], "11.0.0.1", True),
        (["10.0.0.0/8"], ["10.0.0.5"], "10.0.0.5", False),
        (["10.0.0.0/8"], ["10.0.0.5"], "10.0.0.6", True),
        (["10.0.0.5"], ["10.0.0.0/8"], "10.0.0.5", True),
        (["10.0.0.5"], ["10.0.0.0/8"], "10.0.0.6", False),
        (["10.0.0.5"], ["10.0.0.0/8"], "192.0.2.1", False),
        (["10.0.0.0/8"], ["0.0.0.0/0"], "10.0.0.6", True),
        (["2001:db8::/32"], ["2001:db8:1::/48"], "2001:db8:2::1", True),
        (["2001:db8::/32"], ["2001:db8:1::/48"], "2001:db8:1::1", False),
        (["0.0.0.0/0"], [], "2001:db8::1", False),
        (["::/0"], ["2001:db8::1"], "2001:DB8:0::1", False),
        (["10.0.0.0/8"], [], "unknown", False),
        ([], ["10.0.0.0/8"], "unknown", True),
        ([], ["10.0.0.0/8"], "\xff", True),
    ],
)
def test_the_narrowest_network_decides(allow: list[str], deny: list[str], ip: str, is_allowed: bool) -> None:
    assert AddressRule.compile(allow, deny).allows(ip.encode("latin-1")) == is_allowed


def test_nobody_can_tell_what_is_both() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8 is both allowed and denied"):
        AddressRule.compile(["10.0.0.0/8"], ["10.0.0.0/8"])


_addresses = st.integers(0, 255).map(lambda low: f"10.0.0.{low}") | st.integers(0, 15).map(lambda low: f"fe80::{low:x}")
_networks = st.tuples(_addresses, st.integers(24, 32)).map(
    lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1] if '.' in pair[0] else pair[1] + 96}", strict=False))
)


@given(st.dictionaries(_networks, st.booleans(), max_size=8), _addresses)
def test_agrees_with_looking_at_every_network(rules: dict[str, bool], ip: str) -> None:
    allow, deny = ([one for one, may in rules.items() if may is wanted] for wanted in (True, False))
    address = ipaddress.ip_address(ip)
    networks = [(ipaddress.ip_network(one), may) for one, may in rules.items()]
    fitting = [(network.prefixlen, may) for network, may in networks if address in network]
    expected = max(fitting)[1] if fitting else not allow
    assert AddressRule.compile(allow, deny).allows(ip.encode()) == expected
