"""What the store of accounts holds: users, sessions, tokens, and the key that cookies are signed with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from gadmin.accounts.roles import Role

USER: Final = "user"
SESSION: Final = "session"
TOKEN: Final = "token"
KEY: Final = "key"
LOCK: Final = "lock"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in; `password` is a hash. With `must_change` the password is another's choice."""

    name: str
    password: str
    role: str
    is_disabled: bool = False
    must_change: bool = False
    created_s: float = 0.0

    @classmethod
    def read(cls, document: Document) -> Self:
        """Return the user of a document. Raises TypeError, ValueError."""
        Role.of(document["role"])
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """Return the user as a document."""
        return asdict(self)

    @property
    def rank(self) -> Role:
        """The role, as something that can be compared."""
        return Role.of(self.role)


@dataclass(frozen=True, slots=True)
class Session:
    """A login. Its name in the store is the hash of what the cookie holds."""

    user: str
    created_s: float
    expires_s: float
    address: str
    agent: str

    @classmethod
    def read(cls, document: Document) -> Self:
        """Return the session of a document."""
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """Return the session as a document."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Token:
    """A key for programs: `secret` is a hash, `expires_s` 0 for one that does not end."""

    name: str
    user: str
    secret: str
    role: str
    label: str
    created_s: float
    expires_s: float = 0.0

    @classmethod
    def read(cls, document: Document) -> Self:
        """Return the token of a document. Raises TypeError, ValueError."""
        Role.of(document["role"])
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """Return the token as a document."""
        return asdict(self)
