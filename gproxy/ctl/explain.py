"""`gproxyctl explain`: what a node would do with a request, and why."""

import argparse

from gproxy.ctl import files
from gproxy.ctl.explain_view import view
from gproxy.ctl.node import node_of


class BadUrl(Exception):
    """This is no URL to explain; the text is one line that says so."""


def explain(arguments: argparse.Namespace, _url: str) -> None:
    """Ask the node whose control endpoint is named, or that of the INI. Raises NodeError, BadAddress, BadUrl."""
    if not arguments.url.startswith("/") and "://" not in arguments.url:
        raise BadUrl(f"{arguments.url}: a URL is http://host/path, or a path that begins with /")
    node = node_of(arguments)
    question = {
        "method": arguments.method,
        "url": arguments.url,
        "headers": arguments.headers,
        "body": arguments.body,
        "client_ip": arguments.client_ip,
    }
    told = node.ask("/explain", question=question)
    print(files.render(told, arguments.format) if arguments.format else "\n".join(view(told)))
