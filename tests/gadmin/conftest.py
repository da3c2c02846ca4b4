"""An admin within the test: its services on a real SQLite store, its application, and visitors of each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gadmin.accounts import passwords
from gadmin.accounts.documents import USER, User
from gadmin.accounts.roles import Role
from gadmin.app import create_app
from gadmin.security.csrf import FIELD, HEADER
from gadmin.security.guard import SECRET
from gadmin.services import Services
from gadmin.settings import load
from gproxy.store.base import Write

CSRF = "the-secret-of-the-session"


@pytest.fixture(scope="session", autouse=True)
def passwords_are_cheap() -> Iterator[None]:
    """Hash with the least work: that hashing is slow is its library's business."""
    patch = pytest.MonkeyPatch()
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    patch.setattr(passwords, "_hasher", cheap)
    patch.setattr(passwords, "_NOBODY", cheap.hash("nobody's"))
    yield
    patch.undo()


def services_in(folder: Path, **sections: Mapping[str, str]) -> Services:
    """Return services that have not begun, on a new store."""
    return Services.of(load(None, {"store": {"url": f"sqlite:///{folder}/gateway.db"}, **sections}))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = services_in(tmp_path_factory.mktemp("admin"))
    made.begin()
    yield made
    made.end()


@pytest.fixture(scope="module")
def app(services: Services) -> Flask:
    return create_app(services)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser; with a name it is logged in."""

    client: FlaskClient
    name: str = ""

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def post(self, path: str, fields: Mapping[str, str] | None = None, **more: Any) -> TestResponse:
        return self.client.post(path, data={FIELD: CSRF, **(fields or {})}, **more)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Ask the REST interface as our pages do."""
        headers = {HEADER: CSRF, **more.pop("headers", {})}
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=headers, **more)


Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def visit(app: Flask, services: Services) -> Visit:
    """Return what makes visitors: `visit()` is nobody, `visit(Role.EDITOR)` is logged in as `an-editor`."""

    def make(role: Role | None = None, name: str = "") -> Visitor:
        client = app.test_client()
        if role is None:
            with client.session_transaction() as session:
                session[FIELD] = CSRF
            return Visitor(client)
        name = name or f"a-{role.label}"
        user = User(name, passwords.hashed(name), role.label)
        services.accounts._write([Write(USER, name, user.document())], "test", "")
        with client.session_transaction() as session:
            session[FIELD], session[SECRET] = CSRF, services.accounts.log_in(user, "192.0.2.1", "test")
        return Visitor(client, name)

    return make


@pytest.fixture(scope="module")
def viewer(visit: Visit) -> Visitor:
    return visit(Role.VIEWER)


@pytest.fixture(scope="module")
def editor(visit: Visit) -> Visitor:
    return visit(Role.EDITOR)


@pytest.fixture(scope="module")
def admin(visit: Visit) -> Visitor:
    return visit(Role.ADMIN)
