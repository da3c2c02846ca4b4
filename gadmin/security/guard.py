"""Who asks, and whether they may: decided before any page is called. A page that says nothing is for nobody."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask, current_app, g, redirect, request, session, url_for
from werkzeug.exceptions import Forbidden, InternalServerError, Unauthorized
from werkzeug.wrappers import Response

from gadmin.accounts.accounts import Accounts
from gadmin.accounts.identity import Identity
from gadmin.accounts.roles import Role
from gadmin.api.problems import is_api
from gadmin.security import csrf

#: Where the session keeps the secret of the login.
SECRET: Final = "login"
#: Forms are smaller than files of configurations.
MOST_FORM_BYTES: Final = 4 << 20
_RULE: Final = "_gadmin_rule"
_EVERYBODY: Final = "everybody"
View = TypeVar("View", bound=Callable[..., Any])


def needs(role: Role) -> Callable[[View], View]:
    """Mark a view as one for this role and those above."""

    def mark(view: View) -> View:
        setattr(view, _RULE, role)
        return view

    return mark


def everybody(view: View) -> View:
    """Mark a view as one for whoever asks, logged in or not."""
    setattr(view, _RULE, _EVERYBODY)
    return view


def rule(view: Callable[..., Any] | None) -> Any:
    """Return what a view is marked with: a Role, or something else for everybody; None when nothing was said."""
    return getattr(view, _RULE, None)


def identity() -> Identity:
    """Return who asks; only in views that need a role."""
    found: Identity = g.identity
    return found


def install(app: Flask, accounts: Accounts) -> None:
    """Let every request of the application be guarded."""

    @app.before_request
    def guard() -> Response | None:
        g.identity = None
        if request.endpoint is None or request.endpoint == "static":
            return None
        if not is_api():
            request.max_content_length = MOST_FORM_BYTES
        found = rule(current_app.view_functions[request.endpoint])
        if found is None:
            raise InternalServerError(f"{request.endpoint} does not say who may use it")
        token = _token()
        g.identity = _identity(accounts, token)
        if g.identity is None or not g.identity.is_token:
            csrf.check()
        if found == _EVERYBODY:
            return None
        if g.identity is None:
            return _log_in_first(accounts, token)
        if not g.identity.may(found):
            raise Forbidden(f"This is for the role {found.label}; yours is {g.identity.role.label}.")
        if g.identity.user.must_change and not g.identity.is_token and request.blueprint != "account":
            if is_api():
                raise Forbidden("Choose a password of your own first.")
            return redirect(url_for("account.password"))
        return None


def _token() -> str | None:
    """Return the token that was sent, None without one."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _identity(accounts: Accounts, token: str | None) -> Identity | None:
    if token is not None:
        return accounts.by_token(token)
    secret = session.get(SECRET)
    return accounts.by_session(secret) if isinstance(secret, str) else None


def _log_in_first(accounts: Accounts, token: str | None) -> Response:
    if is_api():
        if not token:
            raise Unauthorized("Log in, or send a token: Authorization: Bearer ...")
        if accounts.expired_token(token) is not None:
            raise Unauthorized("This token has expired: create a new one on your account page.")
        raise Unauthorized("This token is not valid: it is unknown, or it was removed or its user disabled.")
    if request.method != "GET":
        return redirect(url_for("account.login"))
    here = request.full_path if request.query_string else request.path
    return redirect(url_for("account.login", next=here) if here != "/" else url_for("account.login"))
