"""The cookie of sessions: signed, out of reach of scripts, and never sent without TLS once it came over TLS."""

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie; it is `Secure` whenever the page was asked for over HTTPS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Tell whether browsers may send the cookie over HTTPS only."""
        return request.is_secure
