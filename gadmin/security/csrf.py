"""Changes are taken from our own pages only: a secret of the session comes along with each of them."""

import secrets
from typing import Final

from flask import request, session
from werkzeug.exceptions import Forbidden

FIELD: Final = "csrf_token"
HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def token() -> str:
    """Return the secret of this session, made at its first use."""
    if FIELD not in session:
        session[FIELD] = secrets.token_urlsafe(24)
    return str(session[FIELD])


def check() -> None:
    """Raise Forbidden for a change that does not come from a page of ours."""
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get(HEADER) or request.form.get(FIELD, "")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This request comes from another site.")
    if not secrets.compare_digest(given.encode(), str(session.get(FIELD, "\0")).encode()):
        raise Forbidden("The page was open for too long: go back, load it again and repeat what you did.")
