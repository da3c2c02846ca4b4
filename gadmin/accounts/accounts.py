"""Users, sessions and tokens, in a store that all admins share."""

import contextlib
import glob
import hashlib
import logging
import os
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
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
#: Who lost a race tries again after a random time up to this.
_PAUSE_S: Final = 0.02


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
        self._keep_private()
        with self._stores.use():  # raises what is wrong with it, if anything
            self.follower.start()
        if self.directory.has_users:
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
        """Begin a session for a user whose password was right; return its cookie's secret. Raises AccountError."""
        secret = secrets.token_urlsafe(32)
        now_s = self._clock()
        session = Session(user.name, now_s, now_s + self._session_s, address, agent[:200])

        def begun(directory: Directory) -> list[Write]:
            now = directory.users.get(user.name)
            if now is None or now.is_disabled or now.password != user.password:
                raise AccountError("name", "the account has just been changed, log in again")
            over = [Write(SESSION, name, None) for name, one in directory.sessions.items() if one.expires_s < now_s]
            return [Write(SESSION, _hash(secret), session.document()), *over]

        self._change(begun, user.name, f"logged in from {address}")
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
        token = self._token(text)
        if token is None or self._has_expired(token):
            return None
        user = self.directory.users.get(token.user)
        if user is None or user.is_disabled:
            return None
        return Identity(user, min(user.rank, Role.of(token.role)), _token_name(text), is_token=True)

    def expired_token(self, text: str) -> Token | None:
        """Return the token of this text if the only thing wrong with it is its age."""
        token = self._token(text)
        return token if token is not None and self._has_expired(token) else None

    def _token(self, text: str) -> Token | None:
        prefix, _, rest = text.partition("_")
        token = self.directory.tokens.get(_token_name(text))
        if prefix != _TOKEN_PREFIX or token is None:
            return None
        return token if secrets.compare_digest(token.secret, _hash(rest.partition("_")[2])) else None

    def _has_expired(self, token: Token) -> bool:
        return bool(token.expires_s) and token.expires_s < self._clock()

    def log_out(self, identity: Identity) -> None:
        """End a session."""
        self._write([Write(SESSION, identity.key, None)], identity.user.name, "logged out")

    def log_out_everywhere(self, name: str, author: str) -> None:
        """End all sessions of a user."""
        self._change(lambda directory: _endings(directory, name), author, f"logged {name} out everywhere")

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

        def changed(directory: Directory) -> list[Write]:
            user = replace(_user(directory, name), role=role.label, is_disabled=is_disabled)
            _keep_an_admin(directory, name, user)
            return [Write(USER, name, user.document()), *(_endings(directory, name) if is_disabled else ())]

        self._change(changed, author, f"changed {name}: {role.label}{', disabled' if is_disabled else ''}")

    def delete_user(self, name: str, author: str) -> None:
        """Remove a user with all sessions and tokens. Raises AccountError."""

        def removed(directory: Directory) -> list[Write]:
            _user(directory, name)
            _keep_an_admin(directory, name, None)
            tokens = [Write(TOKEN, token.name, None) for token in directory.tokens_of(name)]
            return [Write(USER, name, None), *_endings(directory, name), *tokens]

        self._change(removed, author, f"removed {name}")

    def set_password(self, name: str, password: str, author: str, must_change: bool = False, keep: str = "") -> None:
        """Give a user a password; all sessions but `keep` end. Raises AccountError."""
        if problem := passwords.weakness(password):
            raise AccountError("password", problem)
        _user(self.directory, name)
        hashed = passwords.hashed(password)

        def changed(directory: Directory) -> list[Write]:
            user = replace(_user(directory, name), password=hashed, must_change=must_change)
            endings = [write for write in _endings(directory, name) if write.name != keep]
            return [Write(USER, name, user.document()), *endings]

        self._change(changed, author, f"new password of {name}")

    def reset_password(self, name: str, author: str) -> str:
        """Give a user a generated password, to be changed at the next login. Raises AccountError."""
        password = passwords.generated()
        self.set_password(name, password, author, must_change=True)
        return password

    def create_token(self, owner: User, label: str, role: Role, days: float, author: str) -> str:
        """Make a token; returns it, for the only time. Raises AccountError."""
        name, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        now_s = self._clock()
        token = Token(
            name, owner.name, _hash(secret), role.label, label[:100], now_s, now_s + days * 86_400 if days else 0
        )

        def made(directory: Directory) -> list[Write]:
            user = _user(directory, owner.name)
            if role > user.rank:
                raise AccountError("role", f"{user.name} is only {user.role}")
            return [Write(TOKEN, name, token.document(), ABSENT)]

        self._change(made, author, f"new token {name} of {owner.name}")
        return f"{_TOKEN_PREFIX}_{name}_{secret}"

    def delete_token(self, name: str, author: str) -> None:
        """End a token."""
        self._write([Write(TOKEN, name, None)], author, f"removed token {name}")

    def history(self, limit: int) -> list[Entry]:
        """Return who did what to whom, newest first."""
        with self._stores.use() as store:
            return store.history(limit=limit)

    def _keep_private(self) -> None:
        """Let nobody but its owner read an embedded store: it has the hashes of passwords, and the key of cookies."""
        if not self._stores.url.startswith("sqlite:///"):
            return
        file = Path(self._stores.url.removeprefix("sqlite:///"))
        with contextlib.suppress(OSError):  # it belongs to somebody else, who decides
            file.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives the files beside it the mode that it finds here.
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            for each in (file, *file.parent.glob(f"{glob.escape(file.name)}-*")):
                os.chmod(each, 0o600)

    def _change(self, make: Callable[[Directory], list[Write]], author: str, comment: str) -> None:
        """Write what `make` makes of the accounts as they are in the store, where nobody writes in between.

        What this admin follows may be old, and another request may be about to change the very same user.
        """
        revision = None
        with self._stores.use() as store:
            while revision is None:
                state = store.read()
                writes = make(Directory(state))
                try:
                    revision = store.write(writes, author, comment, state.revision)
                except Conflict:  # somebody else has just written, and may have changed what this is made of
                    time.sleep(random.uniform(0, _PAUSE_S))
        self.follower.wait_for(revision)

    def _write(self, writes: list[Write], author: str, comment: str) -> None:
        with self._stores.use() as store:
            revision = store.write(writes, author, comment)
        self.follower.wait_for(revision)


def _user(directory: Directory, name: str) -> User:
    user = directory.users.get(name)
    if user is None:
        raise AccountError("name", f"there is no user {name}")
    return user


def _keep_an_admin(directory: Directory, name: str, changed: User | None) -> None:
    others = [user for user in directory.users.values() if user.name != name]
    left = [*others, changed] if changed is not None else others
    if not any(user.rank is Role.ADMIN and not user.is_disabled for user in left):
        raise AccountError("role", "somebody must remain who is admin and not disabled")


def _endings(directory: Directory, name: str) -> list[Write]:
    return [Write(SESSION, key, None) for key in directory.sessions_of(name)]


def _token_name(text: str) -> str:
    """Return the name in the text of a token: prefix_name_secret."""
    return text.partition("_")[2].partition("_")[0]


def _hash(secret: str) -> str:
    """Return what is stored of a secret that is long and random: no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
