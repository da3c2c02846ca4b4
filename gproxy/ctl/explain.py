"""`gproxyctl explain`: what a node would do with a request, and why."""

import argparse

from gproxy.ctl import files
from gproxy.ctl.explain_view import view
from gproxy.ctl.node import node_of


def explain(arguments: argparse.Namespace, _url: str) -> None:
    """Ask the node whose control endpoint is named, or that of the INI. Raises NodeError, BadAddress."""
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
