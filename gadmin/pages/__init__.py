"""The pages: one blueprint per noun. `object_pages` makes those of a kind of object: list, object, form, deleting."""

from flask import Blueprint

from gproxy.core.schema import PLURALS


def blueprints() -> list[Blueprint]:
    """Return the blueprints of all pages; a kind of object without a module of its own has the common pages."""
    from gadmin.pages import account, clusters, overview, servers, users
    from gadmin.pages.object_pages import object_pages

    found = [module.blueprint for module in (account, overview, servers, clusters, users)]
    names = {blueprint.name for blueprint in found}
    return found + [object_pages(kind) for kind, plural in PLURALS.items() if plural not in names]
