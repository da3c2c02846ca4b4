"""What `gproxyctl` can be asked."""

import argparse
import getpass
import os
from collections.abc import Sequence
from pathlib import Path

from gproxy import __version__
from gproxy.core.schema import KINDS, PLURALS
from gproxy.ctl import commands
from gproxy.ctl.admin import TOKEN_VARIABLE
from gproxy.ctl.explain import explain
from gproxy.ctl.files import FORMATS, STDIN
from gproxy.ctl.importing import import_seed
from gproxy.ctl.nodes import drain, nodes, undrain
from gproxy.ctl.status import status

#: How many entries `history` shows unless told otherwise: what fits a screen.
HISTORY_SHOWN = 20
#: How long `--wait` waits: nodes need a fraction of a second, so longer means that one has a problem.
WAIT_S = 30.0
_KINDS = " | ".join(KINDS)
_CONTROL = "control endpoint of the node: host:port, http://host:port or unix:/path (default: that of the INI)"


def parser() -> argparse.ArgumentParser:
    """Return the parser; the parsed arguments carry the command to run as `run`."""
    top = argparse.ArgumentParser(
        prog="gproxyctl",
        description="Show and change the configuration of the gateway in its store, and ask running nodes.",
        epilog="The store is that of --store, of the INI that -c names, or of conf/gproxy.ini. `gproxyctl COMMAND -h` "
        "shows the options of a command. Exit codes: 0 done, 1 failure, 2 wrong arguments or configuration.",
    )
    top.add_argument("--version", action="version", version=f"gproxyctl {__version__}")
    _add_store(top, None)
    actions = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    # The store may be named before or after the command.
    shared = argparse.ArgumentParser(add_help=False)
    _add_store(shared, argparse.SUPPRESS)
    _add_writing(actions, shared)
    _add_reading(actions, shared)
    return top


def _command(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    parents: Sequence[argparse.ArgumentParser],
    said: str,
) -> argparse.ArgumentParser:
    """Add a command; the list of all commands and its own help say the same of it."""
    return actions.add_parser(name, parents=[*parents], help=said, description=f"{said[0].upper()}{said[1:]}.")


def _add_store(target: argparse.ArgumentParser, default: str | None) -> None:
    target.add_argument("--store", metavar="URL", default=default, help="sqlite:///path or etcd://host:port/prefix")
    target.add_argument(
        "--admin", metavar="URL", default=default, help="use the REST interface of this gadmin instead of the store"
    )
    target.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        default=default,
        help=f"file with the token for --admin (default: ${TOKEN_VARIABLE})",
    )
    target.add_argument(
        "--ca-file",
        metavar="FILE",
        default=default,
        help="certificates that an https --admin is checked against (PEM)",
    )
    target.add_argument("--node", metavar="ID", default=default, help="the node to ask through --admin, by its id")
    target.add_argument(
        "-c",
        dest="ini",
        metavar="INI",
        type=Path,
        default=default,
        help="settings of a node that name its store (default: conf/gproxy.ini if it exists)",
    )


def _add_writing(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser
) -> None:
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument("--comment", default="", help="why; for the history")
    signed.add_argument("--author", default=_login_name(), help="who; for the history (default: %(default)s)")
    signed.add_argument(
        "--wait",
        nargs="?",
        type=float,
        const=WAIT_S,
        metavar="S",
        help=f"return when every worker of every node runs the change; fail after S seconds (default: {WAIT_S:g})",
    )
    both = [shared, signed]

    apply = _command(actions, "apply", both, "make the store equal to a file, for the kinds that the file lists")
    apply.add_argument(
        "-f", dest="file", metavar="FILE", required=True, help=f"YAML, JSON or TOML; {STDIN} is standard input"
    )
    apply.add_argument("--dry-run", action="store_true", help="only show what would change")
    apply.set_defaults(run=commands.apply)

    put = _command(actions, "put", both, "create or replace one object")
    put.add_argument("kind", type=_kind, metavar="KIND", help=_KINDS)
    put.add_argument(
        "file",
        nargs="?",
        default=STDIN,
        metavar="FILE",
        help="one object in YAML, JSON or TOML (default: standard input)",
    )
    put.add_argument(
        "--if-revision",
        type=int,
        metavar="N",
        help="only if the object is at revision N (0: only if it does not exist)",
    )
    put.set_defaults(run=commands.put)

    delete = _command(actions, "delete", both, "delete one object")
    delete.add_argument("kind", type=_kind, metavar="KIND", help=_KINDS)
    delete.add_argument("name", metavar="NAME")
    delete.set_defaults(run=commands.delete)

    taking = _command(actions, "import", both, "add the configuration of fagongzi/gateway (2016), exported as JSON")
    taking.add_argument("-f", dest="file", metavar="FILE", required=True, help=f"or {STDIN} for standard input")
    taking.add_argument("--dry-run", action="store_true", help="only show what would change, and the report")
    taking.set_defaults(run=import_seed)

    rollback = _command(actions, "rollback", both, "restore the whole configuration of a revision, as a new revision")
    rollback.add_argument("revision", type=int, metavar="REV", help="as `history` shows it")
    rollback.add_argument("--dry-run", action="store_true", help="only show what would change")
    rollback.set_defaults(run=commands.rollback)


def _add_reading(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser
) -> None:
    formatted = argparse.ArgumentParser(add_help=False)
    formatted.add_argument("--format", choices=sorted(FORMATS), default="yaml", help="(default: %(default)s)")

    export = _command(actions, "export", [shared, formatted], "show everything, in the form that apply reads")
    export.set_defaults(run=commands.export)

    get = _command(actions, "get", [shared, formatted], "show the objects of a kind, or one")
    get.add_argument("kind", type=_kind, metavar="KIND", help=_KINDS)
    get.add_argument("name", nargs="?", metavar="NAME")
    get.set_defaults(run=commands.get)

    history = _command(actions, "history", [shared], "show who changed what, newest first")
    history.add_argument("kind", nargs="?", type=_kind, metavar="KIND", help=f"only changes of this kind: {_KINDS}")
    history.add_argument("name", nargs="?", metavar="NAME", help="only the changes of this object, in full")
    history.add_argument(
        "--limit", type=int, default=HISTORY_SHOWN, metavar="N", help="how many entries (default: %(default)s)"
    )
    history.set_defaults(run=commands.history)

    fleet = _command(actions, "nodes", [shared], "show the nodes that follow the store")
    fleet.add_argument("--format", choices=sorted(FORMATS), help="everything that is known of them, in this format")
    fleet.set_defaults(run=nodes)
    for name, run, said in (
        ("drain", drain, "take a node out of traffic: it is not ready, and connections end after their request"),
        ("undrain", undrain, "let a node take traffic again"),
    ):
        command = _command(actions, name, [shared], said)
        command.add_argument("of_node", metavar="NODE", help="its id, as `nodes` shows it")
        command.add_argument("--author", default=_login_name(), help="who (default: %(default)s)")
        command.set_defaults(run=run)

    _add_explain(actions, shared)
    watch = _command(actions, "status", [shared], "show a running node, refreshing until Ctrl-C")
    watch.add_argument("--control", metavar="ADDRESS", help=_CONTROL)
    watch.add_argument("--once", action="store_true", help="show it once, without taking over the screen")
    watch.add_argument(
        "--interval", type=float, default=2.0, metavar="S", help="seconds between two refreshes (default: %(default)s)"
    )
    watch.set_defaults(run=status)


def _add_explain(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser
) -> None:
    command = _command(actions, "explain", [shared], "show what a node would do with a request, and why")
    command.add_argument("method", metavar="METHOD")
    command.add_argument("url", metavar="URL", help="with or without http://host")
    command.add_argument(
        "-H", dest="headers", metavar="'NAME: VALUE'", type=_header, action="append", default=[], help="a header field"
    )
    command.add_argument("-d", dest="body", metavar="BODY", default="", help="the body of the request")
    command.add_argument(
        "--client-ip", default="127.0.0.1", metavar="IP", help="address of the client (default: %(default)s)"
    )
    command.add_argument("--control", metavar="ADDRESS", help=_CONTROL)
    command.add_argument("--format", choices=sorted(FORMATS), help="everything that the node says, in this format")
    command.set_defaults(run=explain)


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text}: a header field is 'Name: value'")
    return [name.strip(), value.strip()]


def _kind(text: str) -> str:
    """Accept a kind by either of its names: server or servers."""
    names = {plural: kind for kind, plural in PLURALS.items()} | {kind: kind for kind in KINDS}
    if text not in names:
        raise argparse.ArgumentTypeError(f"{text}: a kind is one of {', '.join(KINDS)}")
    return names[text]


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return str(os.getuid())
