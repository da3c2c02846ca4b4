"""Logging in: a name and a password, tried no faster than `throttle` allows."""

import ipaddress
import logging
import time
from collections.abc import Callable
from typing import Final

from gadmin.accounts import passwords
from gadmin.accounts.accounts import Accounts
from gadmin.accounts.documents import User
from gadmin.accounts.throttle import Throttle

log = logging.getLogger(__name__)

#: Failures of an address, and of a user from anywhere, that cost nothing. One address must not lock out a user at once.
FREE_BY_ADDRESS: Final = 4
FREE_BY_USER: Final = 20
#: IPv6 users have whole networks of addresses: they count as one.
_V6_BITS: Final = 64


class Refused(Exception):
    """No login; `wait_s` says how long not to try again, 0 when the name or the password was wrong."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("wrong name or password" if not wait_s else "too many attempts")
        self.wait_s = wait_s


class Login:
    """The door of one admin."""

    def __init__(self, accounts: Accounts, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._by_address = Throttle(FREE_BY_ADDRESS)
        self._by_user = Throttle(FREE_BY_USER)
        self._clock = clock

    def check(self, name: str, password: str, address: str) -> User:
        """Return the user with this password. Raises Refused."""
        network, name, now_s = _network(address), name[:200], self._clock()
        wait_s = max(
            self._by_address.wait_s(network, now_s),
            self._by_user.wait_s(name, now_s),
            self._accounts.locked_s(name),
        )
        if wait_s:
            raise Refused(wait_s)
        user = self._accounts.directory.users.get(name)
        try:
            is_right = passwords.is_right(user.password if user is not None else None, password)
        except passwords.Busy:
            raise Refused(passwords.TURN_S) from None
        if user is None or not is_right or user.is_disabled:
            self._by_address.fail(network, now_s)
            locked_s = self._by_user.fail(name, now_s)
            log.warning("a login failed", extra={"user": name, "address": address})
            if user is not None and locked_s:
                self._accounts.lock(name, locked_s)
            raise Refused(0)
        self._by_address.forget(network)
        self._by_user.forget(name)
        return user


def _network(address: str) -> str:
    """Return who counts as one: the IPv6 network of an address, however it is written, else the address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a unix socket has none
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found), _V6_BITS), strict=False))
