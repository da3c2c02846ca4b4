"""What each command of `gproxyctl` does. Answers go to standard output, remarks to standard error.

Every command takes the parsed arguments and the store's URL and raises what went wrong; `__main__` turns that
into a line and an exit code.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Final

from gproxy.core.change import Change, Objects, described, summary
from gproxy.core.schema import KINDS, PLURALS, collect
from gproxy.ctl import files, nodes
from gproxy.store import edit
from gproxy.store.base import Entry, State, Store, StoreMissing, Write
from gproxy.store.edit import Rejected
from gproxy.store.open import open_store

#: How many changed objects are listed after a write; `--dry-run` and `history` show all of them.
LISTED: Final = 20


class NoSuchObject(Exception):
    """There is no object of that kind and name."""


def apply(arguments: argparse.Namespace, url: str) -> None:
    """Make the store equal to the file for the kinds that it lists, whole or not at all."""
    objects, problems = collect(files.read(arguments.file))
    if problems:
        raise Rejected(problems)

    def wish(state: State) -> Objects:
        return {**state.documents(), **objects}

    with telling_unlisted(objects):
        if arguments.dry_run:
            foretell(state_of(arguments, url), wish)
            return
        with open_store(url, create=True, access=arguments.access) as store:
            carry_out(store, wish, arguments, arguments.comment)


@contextlib.contextmanager
def telling_unlisted(listed: Container[str]) -> Iterator[None]:
    """Add a note to Rejected when objects of the store have problems whose kind the file does not list."""
    try:
        yield
    except Rejected as error:
        roots = {problem.path.partition("[")[0] for problem in error.problems}
        kept = [PLURALS[kind] for kind in KINDS if kind not in listed and PLURALS[kind] in roots]
        if kept:
            removing = " ".join(f"`{plural}: []`" for plural in kept)
            error.add_note(
                f"the file does not list {' and '.join(kept)}, so those in the store stay: "
                f"list them as well, or remove them all with {removing}"
            )
        raise


def put(arguments: argparse.Namespace, url: str) -> None:
    """Create or replace one object."""
    objects, problems = collect({PLURALS[arguments.kind]: [files.read(arguments.file)]})
    if problems:
        raise Rejected(problems)
    ((name, document),) = objects[arguments.kind].items()

    def wish(state: State) -> Objects:
        edit.expect(state, Write(arguments.kind, name, document, arguments.if_revision))
        documents = state.documents()
        return {**documents, arguments.kind: {**documents.get(arguments.kind, {}), name: document}}

    with open_store(url, create=True, access=arguments.access) as store:
        carry_out(store, wish, arguments, arguments.comment)


def delete(arguments: argparse.Namespace, url: str) -> None:
    """Delete one object that nothing refers to."""

    def wish(state: State) -> Objects:
        documents = state.documents()
        if arguments.name not in documents.get(arguments.kind, {}):
            raise NoSuchObject(f"there is no {arguments.kind} {arguments.name}")
        left = {name: item for name, item in documents[arguments.kind].items() if name != arguments.name}
        return {**documents, arguments.kind: left}

    with open_store(url, access=arguments.access) as store:
        carry_out(store, wish, arguments, arguments.comment)


def rollback(arguments: argparse.Namespace, url: str) -> None:
    """Make everything as it was at a revision, as a new revision."""
    with open_store(url, access=arguments.access) as store:

        def wish(state: State) -> Objects:
            return store.state_at(arguments.revision)

        if arguments.dry_run:
            foretell(store.read(), wish)
            return
        comment = arguments.comment or f"rollback to revision {arguments.revision}"
        carry_out(store, wish, arguments, comment)


def export(arguments: argparse.Namespace, url: str) -> None:
    """Show everything as a file for `apply`."""
    with open_store(url, access=arguments.access) as store:
        state = store.read()
    print(files.render(_lists(state.documents(), KINDS), arguments.format), end="")
    _remark(f"revision {state.revision}")


def get(arguments: argparse.Namespace, url: str) -> None:
    """Show one object, or all of a kind."""
    kind, name = arguments.kind, arguments.name
    with open_store(url, access=arguments.access) as store:
        if name is None:
            state = store.read()
            print(files.render(_lists(state.documents(), [kind]), arguments.format), end="")
            _remark(f"revision {state.revision}")
            return
        stored = store.get(kind, name)
    if stored is None:
        raise NoSuchObject(f"there is no {kind} {name}")
    print(files.render(stored.document, arguments.format), end="")
    _remark(f"{kind} {name} is at revision {stored.revision}")


def history(arguments: argparse.Namespace, url: str) -> None:
    """Show the newest writes; of one object with what changed in it."""
    with open_store(url, access=arguments.access) as store:
        entries = store.history(arguments.kind, arguments.name, arguments.limit)
    tell_history(entries, arguments.kind, arguments.name)


def tell_history(entries: Sequence[Entry], kind: str | None, name: str | None) -> None:
    """Say who changed what, newest first; of one object with what changed in it."""
    if not entries:
        _remark("there is no history yet" if kind is None else "there is no history of that object")
    for entry in entries:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time_s))
        comment = f"  {entry.comment}" if entry.comment else ""
        print(f"{entry.revision:>6}  {moment}  {entry.author}  {summary(entry.changes)}{comment}")
        if name is not None:
            for line in described(entry.changes):
                print(f"        {line}")


def tell_written(changes: Sequence[Change], revision: int) -> None:
    """Say what was changed."""
    for change in changes[:LISTED]:
        print(f"{change.sign} {change.kind} {change.name}")
    if len(changes) > LISTED:
        print(f"... and {len(changes) - LISTED} more")
    print(f"{summary(changes)}; the store is at revision {revision}")


def tell_planned(changes: Sequence[Change], revision: int) -> None:
    """Say what would be changed."""
    for line in described(changes):
        print(line)
    print(f"dry run: {summary(changes)}; the store stays at revision {revision}")


def carry_out(store: Store, wish: edit.Wish, arguments: argparse.Namespace, comment: str) -> None:
    """Write, tell what changed, and wait for it to be in effect if that is wanted."""
    written = edit.write(store, wish, arguments.author, comment)
    tell_written(written.changes, written.revision)
    if arguments.wait is not None:
        nodes.wait(store, written.revision, arguments.wait)


def foretell(state: State, wish: edit.Wish) -> None:
    """Tell what would change."""
    tell_planned(edit.plan(state, wish), state.revision)


def state_of(arguments: argparse.Namespace, url: str) -> State:
    """Return the state of the store; a store that is not there yet is empty."""
    try:
        with open_store(url, access=arguments.access) as store:
            return store.read()
    except StoreMissing:
        return State(0, {})


def _lists(objects: Objects, kinds: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return objects as the lists of a file."""
    return {PLURALS[kind]: list(objects.get(kind, {}).values()) for kind in kinds}


def _remark(text: str) -> None:
    print(text, file=sys.stderr)
