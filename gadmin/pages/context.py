"""What every template may use."""

import hashlib
import time
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from flask import Flask, g, request, url_for

from gadmin.accounts.roles import Role
from gadmin.forms import flat, words
from gadmin.forms.spec import Widget
from gadmin.security import csrf
from gadmin.services import services
from gproxy import __version__


class Entry(NamedTuple):
    """One entry of the navigation; one whose endpoint is not there is not shown."""

    label: str
    endpoint: str
    icon: str
    role: Role = Role.VIEWER


#: Sections of the navigation.
NAVIGATION: Final = (
    ("", (Entry("Overview", "overview.index", "overview"), Entry("Monitor", "monitor.index", "monitor"))),
    (
        "Configuration",
        (
            Entry("APIs", "apis.index", "api"),
            Entry("Routings", "routings.index", "routing"),
            Entry("Clusters", "clusters.index", "cluster"),
            Entry("Servers", "servers.index", "server"),
            Entry("History", "history.index", "history"),
        ),
    ),
    (
        "Operation",
        (
            Entry("Nodes", "proxies.index", "proxy"),
            Entry("Events", "events.index", "event"),
            Entry("Explain", "explain.index", "explain"),
        ),
    ),
    ("Accounts", (Entry("Users", "users.index", "user", Role.ADMIN),)),
)


def install(app: Flask) -> None:
    """Give templates of the application what they need."""
    static = Path(str(app.static_folder))

    @cache
    def stamp(name: str) -> str:
        """Return what changes whenever a static file does."""
        return hashlib.sha256((static / name).read_bytes()).hexdigest()[:10]

    def asset(name: str) -> str:
        """Return the address of a static file, which may be kept for ever."""
        return url_for("static", filename=name, v=stamp(name))

    @app.context_processor
    def everywhere() -> dict[str, Any]:
        return {
            "asset": asset,
            "csrf_token": csrf.token,
            "flat": flat,
            "identity": g.get("identity"),
            "navigation": _navigation(app),
            "now": time.time,
            "Role": Role,
            "store_away_s": services().follower.away_s,
            "version": __version__,
            "Widget": Widget,
            "words": words,
        }

    app.add_template_filter(ago, "ago")
    app.add_template_filter(moment, "moment")


def _navigation(app: Flask) -> list[tuple[str, list[tuple[Entry, bool]]]]:
    """Return the sections with the entries that this user has, and whether each is the present one."""
    identity = g.get("identity")
    shown = []
    for title, entries in NAVIGATION:
        theirs = [
            (entry, entry.endpoint.partition(".")[0] == request.blueprint)
            for entry in entries
            if entry.endpoint in app.view_functions and identity is not None and identity.may(entry.role)
        ]
        if theirs:
            shown.append((title, theirs))
    return shown


def ago(seconds_since_1970: float) -> str:
    """Return how long a moment is ago, in one unit."""
    passed = max(0.0, time.time() - seconds_since_1970)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if passed >= 2 * length:
            return f"{passed / length:.0f} {unit} ago"
    return f"{passed:.0f} s ago" if passed >= 1 else "now"


def moment(seconds_since_1970: float) -> str:
    """Return a moment as text that every browser reads (RFC 3339)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds_since_1970))
