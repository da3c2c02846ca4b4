"""A running admin on a store of its own, with a token: what `gproxyctl --admin` talks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gadmin.accounts.accounts import Accounts
from gadmin.accounts.roles import Role
from tests.harness.admin import Admin


@contextmanager
def admin_with_token(
    folder: Path, store: str = "", settings: Mapping[str, Mapping[str, object]] | None = None, role: Role = Role.EDITOR
) -> Iterator[tuple[Admin, str]]:
    """Run an admin; yields it and a token of its first user."""
    store = store or f"sqlite:///{folder}/gateway.db"
    with Admin(folder, store, settings) as admin:
        accounts = Accounts(f"{store.removesuffix('.db')}-accounts.db", 3600)
        accounts.begin()
        token = accounts.create_token(accounts.directory.users["admin"], "test", role, 0, "test")
        accounts.follower.stop()
        yield admin, token
