"""Passwords, hashed with Argon2id; the library's defaults follow RFC 9106."""

import secrets
import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_CHARACTERS: Final = 10
#: Hashing more than this would only cost time.
MOST_CHARACTERS: Final = 200
#: A hash takes 64 MB and a core for a while: more at a time would let strangers take the machine.
AT_A_TIME: Final = 2
#: How long a login waits for its turn before it is told to come back.
TURN_S: Final = 3.0

_hasher: Final = PasswordHasher()
_turns: Final = threading.BoundedSemaphore(AT_A_TIME)
#: What the password of a user who does not exist is held against: it takes as long as for one who does.
_NOBODY: Final = _hasher.hash(secrets.token_urlsafe())


class Busy(Exception):
    """Too many passwords are being checked at this moment."""


def weakness(password: str) -> str | None:
    """Return what is wrong with a new password, None when it will do."""
    if len(password) < LEAST_CHARACTERS:
        return f"must have at least {LEAST_CHARACTERS} characters"
    if len(password) > MOST_CHARACTERS:
        return f"must have at most {MOST_CHARACTERS} characters"
    if len(set(password)) < 4:
        return "must not be so uniform"
    return None


def generated() -> str:
    """Return a password that nobody can guess, of letters and digits that are not mistaken for each other."""
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def hashed(password: str) -> str:
    """Return what is stored of a password. Raises Busy."""
    with _Turn():
        return _hasher.hash(password)


def is_right(stored: str | None, password: str) -> bool:
    """Tell whether this is the password; None is nobody's and takes the same time. Raises Busy."""
    with _Turn():
        try:
            return _hasher.verify(stored or _NOBODY, password[: MOST_CHARACTERS + 1]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


class _Turn:
    """One of the places for hashing."""

    def __enter__(self) -> None:
        if not _turns.acquire(timeout=TURN_S):
            raise Busy

    def __exit__(self, *error: object) -> None:
        _turns.release()
