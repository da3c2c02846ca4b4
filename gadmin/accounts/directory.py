"""All accounts at one revision of their store."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gadmin.accounts.documents import KEY, LOCK, SESSION, TOKEN, USER, Session, Token, User
from gproxy.store.base import State

log = logging.getLogger(__name__)

T = TypeVar("T")


class Directory:
    """Users, sessions and tokens by name, until when users are locked, and the key of cookies ("": none yet).

    What cannot be read (it was written by another version, or by hand) opens no door, and is said once.
    """

    def __init__(self, state: State, before: "Directory | None" = None) -> None:
        documents = state.documents()
        self.revision = state.revision
        self.has_users = bool(documents.get(USER))
        self.unreadable: set[tuple[str, str]] = set()
        self.users = self._read(USER, documents, User.read)
        self.sessions = self._read(SESSION, documents, Session.read)
        self.tokens = self._read(TOKEN, documents, Token.read)
        self.locks = self._read(LOCK, documents, lambda document: float(document["until_s"]))
        self.cookie_key = next(iter(self._read(KEY, documents, lambda document: str(document["key"])).values()), "")
        for kind, name in self.unreadable - (before.unreadable if before is not None else set()):
            log.error("an account cannot be read, and is of no use", extra={"kind": kind, "of": name})

    def _read(self, kind: str, documents: Mapping[str, Mapping[str, Any]], read: Callable[[Any], T]) -> dict[str, T]:
        found = {}
        for name, document in documents.get(kind, {}).items():
            try:
                found[name] = read(document)
            except (TypeError, ValueError, KeyError):
                self.unreadable.add((kind, name))
        return found

    def sessions_of(self, name: str) -> dict[str, Session]:
        """Return the sessions of a user, the newest first."""
        found = [(key, session) for key, session in self.sessions.items() if session.user == name]
        return dict(sorted(found, key=lambda item: -item[1].created_s))

    def tokens_of(self, name: str) -> list[Token]:
        """Return the tokens of a user, the newest first."""
        return sorted((token for token in self.tokens.values() if token.user == name), key=lambda one: -one.created_s)
