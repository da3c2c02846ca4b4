"""Logging in and out, one's own password, sessions and tokens."""

import math
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from gadmin.accounts import passwords
from gadmin.accounts.accounts import AccountError
from gadmin.accounts.login import Refused
from gadmin.accounts.roles import Role
from gadmin.security.guard import SECRET, everybody, identity, needs
from gadmin.services import services

blueprint: Final = Blueprint("account", __name__)

#: For how many days a token may be valid; 0 is without expiry.
DAYS: Final = (30, 90, 365, 0)


@blueprint.route("/login", methods=["GET", "POST"])
@everybody
def login() -> Response | str | tuple[str, int]:
    """Ask for name and password, and begin a session."""
    target = _own_path(request.values.get("next", ""))
    if request.method == "GET":
        return render_template("login.html", next=target, name="", problem="")
    name, address = request.form.get("name", "").strip(), request.remote_addr or "unknown"
    try:
        user = services().login.check(name, request.form.get("password", ""), address)
    except Refused as refused:
        wait = f" Try again in {refused.wait_s:.0f} s." if refused.wait_s else ""
        problem = "Too many attempts." + wait if refused.wait_s else "The name or the password is wrong."
        page = render_template("login.html", next=target, name=name, problem=problem)
        if not refused.wait_s:
            return page, 401
        return Response(page, 429, {"Retry-After": f"{math.ceil(refused.wait_s)}"}, content_type="text/html")
    session.clear()  # whatever it was before, nobody else knows the new one
    session[SECRET] = services().accounts.log_in(user, address, request.user_agent.string)
    session.permanent = True
    return redirect(target or url_for("overview.index"))


@blueprint.post("/logout")
@needs(Role.VIEWER)
def logout() -> Response:
    """End the session."""
    services().accounts.log_out(identity())
    session.clear()
    return redirect(url_for("account.login"))


@blueprint.route("/account/password", methods=["GET", "POST"])
@needs(Role.VIEWER)
def password() -> Response | str | tuple[str, int]:
    """Let users choose their password; other sessions end."""
    problems: dict[str, str] = {}
    if request.method == "POST":
        user, new = identity().user, request.form.get("new", "")
        if not passwords.is_right(user.password, request.form.get("current", "")):
            problems["current"] = "This is not your current password."
        elif new != request.form.get("again", ""):
            problems["again"] = "The two passwords are not the same."
        else:
            try:
                services().accounts.set_password(user.name, new, user.name, keep=identity().key)
            except AccountError as error:
                problems["new"] = f"It {error}."
            else:
                flash("Your password is changed; your other sessions have ended.", "good")
                return redirect(url_for("overview.index"))
    return render_template("account/password.html", problems=problems), 422 if problems else 200


@blueprint.get("/account")
@needs(Role.VIEWER)
def index() -> str:
    """Show one's own sessions and tokens."""
    return _page("")


@blueprint.post("/account/tokens")
@needs(Role.VIEWER)
def new_token() -> str | tuple[str, int]:
    """Make a token, and show it for the only time."""
    role, days = request.form.get("role", ""), request.form.get("days", "")
    try:
        if days not in map(str, DAYS):
            raise AccountError("days", "choose one of the list")
        token = services().accounts.create_token(
            identity().user, request.form.get("label", "").strip(), Role.of(role), int(days), identity().author
        )
    except (AccountError, ValueError) as error:
        flash(f"No token was created: {error}.", "bad")
        return _page(""), 422
    return _page(token)


@blueprint.post("/account/tokens/<name>/delete")
@needs(Role.VIEWER)
def delete_token(name: str) -> Response:
    """End one of one's own tokens; admins may end anybody's."""
    token = services().accounts.directory.tokens.get(name)
    if token is not None and (token.user == identity().user.name or identity().may(Role.ADMIN)):
        services().accounts.delete_token(name, identity().author)
        flash(f"Token {name} is gone.", "good")
    return redirect(url_for("account.index"))


@blueprint.post("/account/logout-everywhere")
@needs(Role.VIEWER)
def logout_everywhere() -> Response:
    """End all of one's sessions, this one too."""
    services().accounts.log_out_everywhere(identity().user.name, identity().author)
    session.clear()
    return redirect(url_for("account.login"))


def _page(token: str) -> str:
    directory, name = services().accounts.directory, identity().user.name
    return render_template(
        "account/index.html",
        token=token,
        tokens=directory.tokens_of(name),
        sessions=directory.sessions_of(name),
        days=DAYS,
    )


def _own_path(target: str) -> str:
    """Return where to go after the login, "" for what is no page of ours."""
    parts = urlsplit(target)
    is_ours = not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_ours and "\\" not in target and target.isprintable() else ""
