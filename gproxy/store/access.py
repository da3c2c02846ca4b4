"""What a store asks for before it lets anybody in: none of it is part of its URL."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Access:
    """A user and the certificates of a store. With `ca_file` the connection is TLS, and the store is checked."""

    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def of(cls, section: object) -> Self:
        """Return what [store] of the INI says: it has these fields, among others."""
        return cls(**{field.name: getattr(section, field.name) for field in fields(cls)})


NOBODY: Final = Access()
