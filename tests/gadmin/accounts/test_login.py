from collections.abc import Iterator
from pathlib import Path

import pytest

from gadmin.accounts import passwords
from gadmin.accounts.accounts import Accounts
from gadmin.accounts.login import FREE_BY_ADDRESS, FREE_BY_USER, Login, Refused
from gadmin.accounts.roles import Role

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    made = Accounts(f"sqlite:///{tmp_path}/accounts.db", 3600)
    made.begin()
    made.set_password("admin", PASSWORD, "admin")
    yield made
    made.follower.stop()


@pytest.fixture
def login(accounts: Accounts) -> Login:
    return Login(accounts, clock=lambda: 0.0)


def refused(login: Login, name: str, password: str, address: str = "192.0.2.1") -> float:
    with pytest.raises(Refused) as caught:
        login.check(name, password, address)
    return caught.value.wait_s


def test_the_right_password_opens(login: Login) -> None:
    assert login.check("admin", PASSWORD, "192.0.2.1").name == "admin"


def test_a_wrong_name_and_a_wrong_password_look_alike(login: Login) -> None:
    assert refused(login, "admin", "wrong") == refused(login, "nobody", "wrong") == 0


def test_an_address_that_guesses_has_to_wait_even_with_the_right_one(login: Login) -> None:
    for number in range(FREE_BY_ADDRESS + 1):
        refused(login, f"user-{number}", "wrong")
    assert refused(login, "admin", PASSWORD) > 0
    assert login.check("admin", PASSWORD, "192.0.2.2").name == "admin", "others are not held up"


def test_addresses_of_one_ipv6_network_count_as_one(login: Login) -> None:
    for number in range(FREE_BY_ADDRESS + 1):
        refused(login, "nobody", "wrong", f"2001:db8:1:2:3:4:5:{number}")
    assert refused(login, "nobody", "wrong", "2001:db8:1:2:ffff::1") > 0
    assert refused(login, "nobody", "wrong", "2001:db8:1:3::1") == 0


def test_however_an_ipv6_address_is_written(login: Login) -> None:
    for number in range(FREE_BY_ADDRESS + 1):
        refused(login, "nobody", "wrong", f"2001:db8::{number}")
    assert refused(login, "nobody", "wrong", "2001:db8::ffff") > 0
    assert refused(login, "nobody", "wrong", "2001:db8:0:0:1::%eth0") > 0
    assert refused(login, "nobody", "wrong", "2001:db8:0:1::1") == 0
    for _ in range(FREE_BY_ADDRESS + 1):
        refused(login, "nobody", "wrong", "::ffff:192.0.2.7")
    assert refused(login, "nobody", "wrong", "192.0.2.7") > 0
    assert refused(login, "nobody", "wrong", "::ffff:192.0.2.8") == 0


def test_a_user_who_is_guessed_from_everywhere_is_locked_for_all_admins(login: Login, accounts: Accounts) -> None:
    for number in range(FREE_BY_USER + 1):
        refused(login, "admin", "wrong", f"192.0.2.{number}")
    assert accounts.locked_s("admin") > 0
    assert refused(Login(accounts), "admin", PASSWORD, "198.51.100.1") > 0


def test_a_name_that_does_not_exist_leaves_no_trace_in_the_store(login: Login, accounts: Accounts) -> None:
    before = accounts.directory.revision
    for number in range(FREE_BY_USER + 3):
        refused(login, "nobody", "wrong", f"192.0.2.{number}")
    assert accounts.directory.revision == before


def test_the_disabled_are_strangers(login: Login, accounts: Accounts) -> None:
    password = accounts.create_user("bob", Role.VIEWER, "admin")
    accounts.change_user("bob", "admin", Role.VIEWER, is_disabled=True)
    assert refused(login, "bob", password) == 0


def test_a_success_forgives_the_address(login: Login) -> None:
    for _ in range(3):
        for _ in range(FREE_BY_ADDRESS):
            refused(login, "admin", "wrong")
        assert login.check("admin", PASSWORD, "192.0.2.1").name == "admin"


def test_when_all_places_are_taken_it_is_told_to_wait(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> bool:
        raise passwords.Busy

    monkeypatch.setattr(passwords, "is_right", busy)
    assert refused(login, "admin", PASSWORD) == passwords.TURN_S
