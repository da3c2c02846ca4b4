"""What the views work with, made once per program."""

from dataclasses import dataclass

from flask import current_app

from gadmin.accounts.accounts import Accounts
from gadmin.accounts.login import Login
from gadmin.configuration.configuration import Configuration
from gadmin.configuration.editor import Editor
from gadmin.configuration.follower import Follower
from gadmin.configuration.stores import Stores
from gadmin.fleet.draining import Draining
from gadmin.fleet.fleet import Fleet
from gadmin.settings import Settings
from gproxy.store.access import Access


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one admin."""

    settings: Settings
    follower: Follower[Configuration]
    editor: Editor
    accounts: Accounts
    login: Login
    fleet: Fleet
    draining: Draining

    @classmethod
    def of(cls, settings: Settings) -> "Services":
        """Make all parts; nothing runs before `begin`."""
        access = Access.of(settings.store)
        follower = Follower(settings.store.url, access, Configuration)
        accounts = Accounts(accounts_url(settings), settings.accounts.session_hours * 3600, access)
        stores = Stores(settings.store.url, access)
        editor = Editor(stores, follower)
        fleet = Fleet(editor.nodes, settings.fleet.nodes, settings.fleet.timeout_s)
        return cls(settings, follower, editor, accounts, Login(accounts), fleet, Draining(stores))

    def begin(self) -> str | None:
        """Start what runs by itself; returns the password of the first user if there was none."""
        self.follower.start()
        return self.accounts.begin()

    def end(self) -> None:
        """Stop what `begin` started."""
        self.fleet.stop()
        self.follower.stop()
        self.accounts.follower.stop()

    @property
    def configuration(self) -> Configuration:
        """The configuration as it is now."""
        return self.follower.current


def services() -> Services:
    """Return the parts of the admin that serves the present request."""
    found: Services = current_app.extensions["gadmin"]
    return found


def accounts_url(settings: Settings) -> str:
    """Return where the accounts are: as set, else beside the configuration."""
    url = settings.accounts.url or settings.store.url
    if settings.accounts.url:
        return url
    if url.startswith("sqlite:"):
        stem, dot, suffix = url.rpartition(".")
        return f"{stem}-accounts.{suffix}" if dot and "/" not in suffix else f"{url}-accounts"
    return f"{url.rstrip('/')}-accounts"
