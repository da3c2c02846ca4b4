from flask import Flask

from gadmin.pages import blueprints
from gproxy.core.schema import PLURALS


def test_every_kind_has_its_pages(app: Flask) -> None:
    names = [blueprint.name for blueprint in blueprints()]
    assert len(names) == len(set(names))
    assert set(PLURALS.values()) <= set(names)
    assert {f"{plural}.edit" for plural in PLURALS.values()} <= set(app.view_functions)
