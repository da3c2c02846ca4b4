"""Users, sessions and tokens, in a store that all admins share."""

import contextlib
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gadmin.accounts import passwords
from gadmin.accounts.directory import Directory
from gadmin.accounts.documents import KEY, LOCK, SESSION, TOKEN, USER, Session, Token, User
from gadmin.accounts.identity import Identity
from gadmin.accounts.roles import Role
from gadmin.configuration.follower import Follower
from gadmin.configuration.stores import Stores
from gproxy.core import grammar
from gproxy.store.access import NOBODY, Access
from gproxy.store.base import ABSENT, Conflict, Entry, Write

log = logging.getLogger(__name__)

FIRST_USER: Final = "admin"
#: Who writes what nobody asked for.
SYSTEM: Final = "gadmin"
_TOKEN_PREFIX: Final = "gpt"
_COOKIES: Final = "cookies"


class AccountError(Exception):
    """What was asked of an account cannot be done; `field` is the field of a form that is to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Accounts:
    """The accounts in the store at `url`. Methods that write raise StoreError."""

    def __init__(
        self, url: str, session_s: float, access: Access = NOBODY, clock: Callable[[], float] = time.time
    ) -> None:
        self._stores = Stores(url, access)
        self.follower = Follower(url, access, Directory)
        self._session_s = session_s
        self._clock = clock

    @property
    def directory(self) -> Directory:
        """All accounts as they are now."""
        return self.follower.current

    def begin(self) -> str | None:
        """Follow the store, and make the first user when there is none: returns its password, once."""
        with self._stores.use():
            self._keep_private()
        self.follower.start()
        if self.directory.users:
            return None
        password = passwords.generated()
        user = User(FIRST_USER, passwords.hashed(password), Role.ADMIN.label, False, True, self._clock())
        try:
            self._write([Write(USER, FIRST_USER, user.document(), ABSENT)], SYSTEM, "the first user")
        except Conflict:  # another admin has just done it
            return None
        return password

    def cookie_key(self) -> str:
        """Return the key that cookies are signed with, the same for all admins; the first one makes it."""
        if not self.directory.cookie_key:
            try:
                document = {"key": secrets.token_urlsafe(32)}
                self._write([Write(KEY, _COOKIES, document, ABSENT)], SYSTEM, "the key of cookies")
            except Conflict:
                self.follower.wait_for(self.directory.revision + 1)
        return self.directory.cookie_key

    def log_in(self, user: User, address: str, agent: str) -> str:
        """Begin a session for a user whose password was right; returns the secret of its cookie."""
        secret = secrets.token_urlsafe(32)
        now_s = self._clock()
        session = Session(user.name, now_s, now_s + self._session_s, address, agent[:200])
        over = [
            Write(SESSION, name, None) for name, other in self.directory.sessions.items() if other.expires_s < now_s
        ]
        self._write([Write(SESSION, _hash(secret), session.document()), *over], user.name, f"logged in from {address}")
        return secret

    def locked_s(self, name: str) -> float:
        """Return for how long nobody may try to log in as this user."""
        return max(0.0, self.directory.locks.get(name, 0.0) - self._clock())

    def lock(self, name: str, wait_s: float) -> None:
        """Let nobody try to log in as this user for a time, at any admin."""
        until = {"until_s": self._clock() + wait_s}
        self._write([Write(LOCK, name, until)], SYSTEM, f"too many wrong passwords for {name}")

    def by_session(self, secret: str) -> Identity | None:
        """Return who has this session, None when it is over."""
        key = _hash(secret)
        session = self.directory.sessions.get(key)
        if session is None or session.expires_s < self._clock():
            return None
        user = self.directory.users.get(session.user)
        return None if user is None or user.is_disabled else Identity(user, user.rank, key, is_token=False)

    def by_token(self, text: str) -> Identity | None:
        """Return who has this token, None when there is no such token any more."""
        prefix, _, rest = text.partition("_")
        name, _, secret = rest.partition("_")
        token = self.directory.tokens.get(name)
        if prefix != _TOKEN_PREFIX or token is None or not secrets.compare_digest(token.secret, _hash(secret)):
            return None
        if token.expires_s and token.expires_s < self._clock():
            return None
        user = self.directory.users.get(token.user)
        if user is None or user.is_disabled:
            return None
        return Identity(user, min(user.rank, Role.of(token.role)), name, is_token=True)

    def log_out(self, identity: Identity) -> None:
        """End a session."""
        self._write([Write(SESSION, identity.key, None)], identity.user.name, "logged out")

    def log_out_everywhere(self, name: str, author: str) -> None:
        """End all sessions of a user."""
        self._write(self._endings(name), author, f"logged {name} out everywhere")

    def create_user(self, name: str, role: Role, author: str) -> str:
        """Add a user; returns the password to begin with. Raises AccountError."""
        try:
            grammar.name(name)
        except ValueError as error:
            raise AccountError("name", str(error)) from None
        password = passwords.generated()
        user = User(name, passwords.hashed(password), role.label, False, True, self._clock())
        try:
            self._write([Write(USER, name, user.document(), ABSENT)], author, f"added {name} as {role.label}")
        except Conflict:
            raise AccountError("name", f"there is a user {name} already") from None
        return password

    def change_user(self, name: str, author: str, role: Role, is_disabled: bool) -> None:
        """Change what a user may do. Raises AccountError."""
        user = self._user(name)
        changed = replace(user, role=role.label, is_disabled=is_disabled)
        self._keep_an_admin(name, changed)
        writes = [Write(USER, name, changed.document())]
        if is_disabled:
            writes += self._endings(name)
        self._write(writes, author, f"changed {name}: {role.label}{', disabled' if is_disabled else ''}")

    def delete_user(self, name: str, author: str) -> None:
        """Remove a user with all sessions and tokens. Raises AccountError."""
        self._user(name)
        self._keep_an_admin(name, None)
        tokens = [Write(TOKEN, key, None) for key, token in self.directory.tokens.items() if token.user == name]
        self._write([Write(USER, name, None), *self._endings(name), *tokens], author, f"removed {name}")

    def set_password(self, name: str, password: str, author: str, must_change: bool = False, keep: str = "") -> None:
        """Give a user a password; all sessions but `keep` end. Raises AccountError."""
        if problem := passwords.weakness(password):
            raise AccountError("password", problem)
        changed = replace(self._user(name), password=passwords.hashed(password), must_change=must_change)
        endings = [write for write in self._endings(name) if write.name != keep]
        self._write([Write(USER, name, changed.document()), *endings], author, f"new password of {name}")

    def reset_password(self, name: str, author: str) -> str:
        """Give a user a generated password, to be changed at the next login. Raises AccountError."""
        password = passwords.generated()
        self.set_password(name, password, author, must_change=True)
        return password

    def create_token(self, owner: User, label: str, role: Role, days: float, author: str) -> str:
        """Make a token; returns it, for the only time. Raises AccountError."""
        if role > owner.rank:
            raise AccountError("role", f"{owner.name} is only {owner.role}")
        name, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        now_s = self._clock()
        token = Token(
            name, owner.name, _hash(secret), role.label, label[:100], now_s, now_s + days * 86_400 if days else 0
        )
        self._write([Write(TOKEN, name, token.document(), ABSENT)], author, f"new token {name} of {owner.name}")
        return f"{_TOKEN_PREFIX}_{name}_{secret}"

    def delete_token(self, name: str, author: str) -> None:
        """End a token."""
        self._write([Write(TOKEN, name, None)], author, f"removed token {name}")

    def history(self, limit: int) -> list[Entry]:
        """Return who did what to whom, newest first."""
        with self._stores.use() as store:
            return store.history(limit=limit)

    def _user(self, name: str) -> User:
        user = self.directory.users.get(name)
        if user is None:
            raise AccountError("name", f"there is no user {name}")
        return user

    def _keep_an_admin(self, name: str, changed: User | None) -> None:
        others = [user for user in self.directory.users.values() if user.name != name]
        left = [*others, changed] if changed is not None else others
        if not any(user.rank is Role.ADMIN and not user.is_disabled for user in left):
            raise AccountError("role", "somebody must remain who is admin and not disabled")

    def _endings(self, name: str) -> list[Write]:
        return [Write(SESSION, key, None) for key, session in self.directory.sessions.items() if session.user == name]

    def _keep_private(self) -> None:
        """Let nobody but its owner read an embedded store: it has the hashes of passwords."""
        if self._stores.url.startswith("sqlite:///"):
            with contextlib.suppress(OSError):  # it belongs to somebody else, who decides
                os.chmod(self._stores.url.removeprefix("sqlite:///"), 0o600)

    def _write(self, writes: list[Write], author: str, comment: str) -> None:
        with self._stores.use() as store:
            revision = store.write(writes, author, comment)
        self.follower.wait_for(revision)


def _hash(secret: str) -> str:
    """Return what is stored of a secret that is long and random: no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
