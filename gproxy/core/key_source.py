"""Where the keys for the tokens of an API come from, and what becomes of their text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from gproxy.core.jwt_keys import KeySet, from_jwks, from_pem, from_secret

_READERS: Final[Mapping[str, Callable[[bytes, Iterable[str]], KeySet]]] = {
    "secret": from_secret,
    "public_key": from_pem,
    "jwks": from_jwks,
}


class KeySource(NamedTuple):
    """`form` is secret, public_key or jwks. One of `text` (the keys themselves), `file` and `url` is not empty.

    What comes from a URL is fetched every `refresh_s` seconds, once for all workers of a node.
    """

    form: str
    text: str
    file: str
    url: str
    algorithms: tuple[str, ...]
    refresh_s: float

    @classmethod
    def compile(cls, document: Mapping[str, Any]) -> KeySource:
        """Return the source that a normalised `jwt` names."""
        algorithms, refresh_s = tuple(document["algorithms"]), document["refresh_s"]
        for form in _READERS:
            text, file, url = (document.get(name) or "" for name in (form, f"{form}_file", f"{form}_url"))
            if text or file or url:
                return cls(form, text, file, url, algorithms, refresh_s)
        raise ValueError("jwt has no source of keys")

    def read(self, text: bytes) -> KeySet:
        """Return the keys of a text of this form; raises BadKey."""
        if self.form == "secret" and self.file:
            text = text.rstrip(b"\r\n")
        return _READERS[self.form](text, self.algorithms)


def fetched_name(url: str) -> str:
    """Return the name of the file, in the folder `keys` of the run_dir, that holds what was fetched from a URL."""
    return sha256(url.encode("utf-8")).hexdigest()[:32] + ".json"
