"""The application: a factory that puts the parts together."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from flask import Flask, Response, render_template, request

from gadmin import pages
from gadmin.api import changes, nodes, objects, openapi
from gadmin.api.problems import answered, failure, is_api
from gadmin.pages import context
from gadmin.security import cookies, guard, headers
from gadmin.services import Services

_HERE: Final = Path(__file__).parent
#: Templates and static files: inside the installed package, beside it in a checkout.
WEB: Final = next(path for path in (_HERE / "web", _HERE.parent / "web") if path.is_dir())
#: A file of ten thousand APIs has some megabytes.
MOST_BODY_BYTES: Final = 64 << 20
API: Final = "/api/v1"


def create_app(services: Services) -> Flask:
    """Return the application that serves these services, which have begun."""
    app = Flask("gadmin", template_folder=str(WEB / "templates"), static_folder=str(WEB / "static"))
    app.config.update(
        SECRET_KEY=services.accounts.cookie_key(),
        SESSION_COOKIE_NAME="gadmin",
        # An answer that has nothing to say about the session leaves the cookie alone: else figures that are asked for
        # beside a page would bring back the messages that the page has just shown.
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=services.settings.accounts.session_hours),
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=guard.MOST_FORM_BYTES,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.extensions["gadmin"] = services
    app.session_interface = cookies.Sessions()
    guard.install(app, services.accounts)
    for module in (objects, changes, nodes, openapi):
        app.register_blueprint(module.blueprint, url_prefix=API)
    for blueprint in pages.blueprints():
        app.register_blueprint(blueprint)
    context.install(app)
    app.after_request(headers.harden)
    app.register_error_handler(Exception, _failed)
    return app


def _failed(error: Exception) -> Response | tuple[str, int]:
    found = failure(error)
    if is_api():
        return answered(found)
    return render_template("error.html", failure=found, path=request.path), found.status
