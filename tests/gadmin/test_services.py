from pathlib import Path

import pytest
from flask import Flask

from gadmin.services import Services, accounts_url
from gadmin.services import services as current
from gadmin.settings import load
from tests.gadmin.conftest import services_in


@pytest.mark.parametrize(
    ("store", "accounts", "expected"),
    [
        ("sqlite:///run/gateway.db", "", "sqlite:///run/gateway-accounts.db"),
        ("sqlite:////var/a.b/gateway", "", "sqlite:////var/a.b/gateway-accounts"),
        ("etcd://h:2379/prod", "", "etcd://h:2379/prod-accounts"),
        ("etcd://h:2379/prod/", "", "etcd://h:2379/prod-accounts"),
        ("etcd://h:2379/prod", "sqlite:///users.db", "sqlite:///users.db"),
    ],
)
def test_accounts_are_beside_the_configuration_unless_told_otherwise(store: str, accounts: str, expected: str) -> None:
    assert accounts_url(load(None, {"store": {"url": store}, "accounts": {"url": accounts}})) == expected


def test_the_first_password_is_told_once_for_all_admins_on_a_store(tmp_path: Path) -> None:
    first, second = services_in(tmp_path), services_in(tmp_path)
    try:
        assert first.begin() is not None
        assert second.begin() is None
        assert second.configuration.revision == 0
        assert first.accounts.cookie_key() == second.accounts.cookie_key()
    finally:
        first.end()
        second.end()


def test_the_accounts_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    made = services_in(tmp_path)
    try:
        made.begin()
    finally:
        made.end()
    assert (tmp_path / "gateway-accounts.db").stat().st_mode & 0o077 == 0


def test_a_view_finds_the_services_of_its_application(app: Flask, services: Services) -> None:
    with app.app_context():
        assert current() is services
