"""Two admins on one etcd: users, sessions and changes of one are those of the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gadmin.accounts.roles import Role
from gadmin.app import create_app
from gadmin.configuration.editor import Signature
from gadmin.security.csrf import FIELD, HEADER
from gadmin.security.guard import SECRET
from gadmin.services import Services
from gadmin.settings import load
from gproxy.core.schema import KINDS
from gproxy.store.open import open_store
from tests.gadmin.conftest import CSRF, Visitor
from tests.harness.etcd import Etcd
from tests.harness.waiting import eventually


@pytest.fixture(scope="module")
def admins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, Services, str]]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        url = f"etcd://{etcd.endpoint}/admins"
        both = [Services.of(load(None, {"store": {"url": url}})) for _ in range(2)]
        passwords = [services.begin() for services in both]
        assert [bool(password) for password in passwords] == [True, False], "the first user is made once"
        yield both[0], both[1], url
        for services in both:
            services.end()


def test_a_login_at_one_is_one_at_the_other(admins: tuple[Services, Services, str]) -> None:
    one, other, _ = admins
    one.accounts.create_user("ada", Role.EDITOR, "test")
    one.accounts.set_password("ada", "a good password", "test")
    secret = one.accounts.log_in(one.accounts.directory.users["ada"], "192.0.2.1", "test")
    eventually(lambda: other.accounts.by_session(secret), about="the other knows the session")
    client = create_app(other).test_client()
    with client.session_transaction() as session:
        session[FIELD], session[SECRET] = CSRF, secret
    visitor = Visitor(client, "ada")
    assert visitor.call("PUT", "/servers/u1", {"address": "a:1"}).status_code == 201
    eventually(lambda: one.configuration.get("server", "u1"), about="the first sees the change of the other")
    one.accounts.log_out_everywhere("ada", "test")
    eventually(lambda: visitor.client.get("/api/v1/servers").status_code == 401, about="the session is over there too")


def test_nodes_see_nothing_of_the_accounts(admins: tuple[Services, Services, str]) -> None:
    *_, url = admins
    with open_store(url) as store:
        assert set(store.read().documents()) <= set(KINDS)
        assert {change.kind for entry in store.history() for change in entry.changes} <= set(KINDS)


def test_a_change_of_one_and_a_change_of_the_other_meet(admins: tuple[Services, Services, str]) -> None:
    one, other, _ = admins
    client = create_app(one).test_client()
    secret = one.accounts.log_in(one.accounts.directory.users["ada"], "192.0.2.1", "test")
    with client.session_transaction() as session:
        session[FIELD], session[SECRET] = CSRF, secret
    visitor = Visitor(client, "ada")
    tag = visitor.call("PUT", "/servers/both", {"address": "a:1"}).headers["ETag"]
    eventually(lambda: other.configuration.get("server", "both"))
    other.editor.put("server", "both", {"name": "both", "address": "a:2"}, Signature("bob"))
    answer = visitor.call("PUT", "/servers/both", {"address": "a:3"}, headers={"If-Match": tag, HEADER: CSRF})
    assert answer.status_code == 412
    assert answer.get_json()["current"]["document"]["address"] == "a:2"
