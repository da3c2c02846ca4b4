"""`gproxyctl import`: takes over the configuration of fagongzi/gateway, and reports what means something else here."""

import argparse
from collections.abc import Iterator, Mapping, Sequence

from gproxy.core.change import Objects
from gproxy.ctl import commands, files
from gproxy.ctl.seed import Imported, imported
from gproxy.ctl.seed_export import read_export
from gproxy.store.base import Key, State
from gproxy.store.open import open_store
from gproxy.store.salvage import key_of, merged, path_of, salvage


def import_seed(arguments: argparse.Namespace, url: str) -> None:
    """Add the objects of an export to the store, as far as they are valid; nothing else is changed."""
    found = imported(read_export(files.read(arguments.file)))
    ignored: dict[Key, str] = {}

    def wish(state: State) -> Objects:
        ignored.clear()
        good, wrong = salvage(state, found)
        ignored.update(wrong)
        return merged(state, good)

    if arguments.dry_run:
        commands.foretell(commands.state_of(arguments, url), wish)
    else:
        with open_store(url, create=True, access=arguments.access) as store:
            commands.carry_out(store, wish, arguments, arguments.comment or "imported from fagongzi/gateway")
    print("\n".join(report(found, ignored)))


def report(found: Sequence[Imported], ignored: Mapping[Key, str]) -> Iterator[str]:
    """Yield the lines that say what became of each object, and what is different from now on."""
    taken = [one for one in found if key_of(one) not in ignored]
    yield f"{len(taken)} of {len(found)} objects were taken over"
    for one in found:
        problem = ignored.get(key_of(one))
        if problem is None and not one.remarks:
            continue
        yield f"{path_of(one)}{': NOT taken over' if problem else ''}"
        if problem:
            yield f"    {problem}"
        for remark in one.remarks:
            yield f"    {remark}"
