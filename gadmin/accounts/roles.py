"""The roles, each of which may do all that the ones before it may."""

from enum import IntEnum


class Role(IntEnum):
    """What a user may do."""

    VIEWER = 1  # look at everything but accounts
    EDITOR = 2  # change the configuration
    ADMIN = 3  # change accounts

    @property
    def label(self) -> str:
        """The name of the role, as it is written in documents and pages."""
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> "Role":
        """Return the role of that name. Raises ValueError."""
        try:
            return cls[label.upper()]
        except KeyError:
            raise ValueError(f"must be {', '.join(role.label for role in cls)}") from None
