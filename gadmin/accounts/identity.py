"""Who asks: found out once per request."""

from dataclasses import dataclass

from gadmin.accounts.documents import User
from gadmin.accounts.roles import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """A user by a session or a token; `role` is what may be done this way, `key` the session's or token's name."""

    user: User
    role: Role
    key: str
    is_token: bool

    @property
    def author(self) -> str:
        """Who the history names."""
        return f"{self.user.name} (token {self.key})" if self.is_token else self.user.name

    def may(self, role: Role) -> bool:
        """Tell whether this role's work may be done."""
        return self.role >= role
