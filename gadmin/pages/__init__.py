"""The pages: one blueprint per noun. `object_pages` makes those of a kind of object: list, object, form, deleting."""

from importlib import import_module
from typing import Final

from flask import Blueprint

from gproxy.core.schema import PLURALS

#: Modules of this package that have a `blueprint`.
NOUNS: Final = "account overview monitor apis servers clusters routings history proxies events explain users".split()


def blueprints() -> list[Blueprint]:
    """Return the blueprints of all pages; a kind of object without a module of its own has the common pages."""
    from gadmin.pages.object_pages import object_pages  # it imports this package

    found: list[Blueprint] = [import_module(f"{__name__}.{noun}").blueprint for noun in NOUNS]
    names = {blueprint.name for blueprint in found}
    return found + [object_pages(kind) for kind, plural in PLURALS.items() if plural not in names]
