"""Users: who there is, what they may do, and what was done to whom."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gadmin.accounts.accounts import AccountError
from gadmin.accounts.documents import User
from gadmin.accounts.roles import Role
from gadmin.security.guard import identity, needs
from gadmin.services import services

blueprint: Final = Blueprint("users", __name__, url_prefix="/users")

#: How many of the latest changes of accounts are shown.
SHOWN: Final = 50


@blueprint.get("/")
@needs(Role.ADMIN)
def index() -> str:
    """List all users."""
    return _page("", "", {})


@blueprint.post("/")
@needs(Role.ADMIN)
def create() -> str | tuple[str, int]:
    """Add a user, and show the password to begin with for the only time."""
    name = request.form.get("name", "").strip()
    try:
        password = services().accounts.create_user(name, Role.of(request.form.get("role", "")), identity().author)
    except AccountError as error:
        return _page("", "", {error.field: f"{error}."}), 422
    except ValueError as error:
        return _page("", "", {"role": f"{error}."}), 422
    return _page(name, password, {})


@blueprint.get("/<name>")
@needs(Role.ADMIN)
def show(name: str) -> str:
    """Show one user."""
    return _user_page(_user(name), "")


@blueprint.post("/<name>")
@needs(Role.ADMIN)
def change(name: str) -> Response | tuple[str, int]:
    """Change what a user may do."""
    user = _user(name)
    try:
        role = Role.of(request.form.get("role", ""))
        services().accounts.change_user(name, identity().author, role, "is_disabled" in request.form)
    except (AccountError, ValueError) as error:
        flash(f"Nothing was changed: {error}.", "bad")
        return _user_page(user, ""), 422
    flash(f"{name} is changed.", "good")
    return redirect(url_for("users.show", name=name))


@blueprint.post("/<name>/password")
@needs(Role.ADMIN)
def reset(name: str) -> str:
    """Give a user a new password, and show it for the only time."""
    _user(name)
    password = services().accounts.reset_password(name, identity().author)
    return _user_page(_user(name), password)


@blueprint.post("/<name>/logout")
@needs(Role.ADMIN)
def logout(name: str) -> Response:
    """End all sessions of a user."""
    _user(name)
    services().accounts.log_out_everywhere(name, identity().author)
    flash(f"All sessions of {name} have ended.", "good")
    return redirect(url_for("users.show", name=name))


@blueprint.post("/<name>/delete")
@needs(Role.ADMIN)
def delete(name: str) -> Response | tuple[str, int]:
    """Remove a user."""
    user = _user(name)
    try:
        services().accounts.delete_user(name, identity().author)
    except AccountError as error:
        flash(f"{name} stays: {error}.", "bad")
        return _user_page(user, ""), 422
    flash(f"{name} is removed.", "good")
    return redirect(url_for("users.index"))


def _user(name: str) -> User:
    user = services().accounts.directory.users.get(name)
    if user is None:
        raise NotFound(f"There is no user {name}.")
    return user


def _page(name: str, password: str, problems: dict[str, str]) -> str:
    accounts = services().accounts
    return render_template(
        "users/index.html",
        users=sorted(accounts.directory.users.values(), key=lambda user: user.name),
        directory=accounts.directory,
        entries=accounts.history(SHOWN),
        name=name,
        password=password,
        problems=problems,
    )


def _user_page(user: User, password: str) -> str:
    directory = services().accounts.directory
    return render_template(
        "users/user.html",
        user=user,
        password=password,
        tokens=directory.tokens_of(user.name),
        sessions=directory.sessions_of(user.name),
    )
