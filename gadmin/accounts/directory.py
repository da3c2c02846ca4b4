"""All accounts at one revision of their store."""

from gadmin.accounts.documents import KEY, LOCK, SESSION, TOKEN, USER, Session, Token, User
from gproxy.store.base import State


class Directory:
    """Users, sessions and tokens by name, until when users are locked, and the key of cookies ("": none yet)."""

    def __init__(self, state: State, _before: "Directory | None" = None) -> None:
        documents = state.documents()
        self.revision = state.revision
        self.users = {name: User.read(document) for name, document in documents.get(USER, {}).items()}
        self.sessions = {name: Session.read(document) for name, document in documents.get(SESSION, {}).items()}
        self.tokens = {name: Token.read(document) for name, document in documents.get(TOKEN, {}).items()}
        self.locks = {name: float(document["until_s"]) for name, document in documents.get(LOCK, {}).items()}
        self.cookie_key = str(next(iter(documents.get(KEY, {}).values()), {}).get("key", ""))

    def sessions_of(self, name: str) -> dict[str, Session]:
        """Return the sessions of a user, the newest first."""
        found = [(key, session) for key, session in self.sessions.items() if session.user == name]
        return dict(sorted(found, key=lambda item: -item[1].created_s))

    def tokens_of(self, name: str) -> list[Token]:
        """Return the tokens of a user, the newest first."""
        return sorted((token for token in self.tokens.values() if token.user == name), key=lambda one: -one.created_s)
