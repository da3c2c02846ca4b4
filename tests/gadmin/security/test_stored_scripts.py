"""What somebody has written anywhere, a user, an editor or a node, is text on every page, never markup."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydantic import ValidationError

from gadmin.accounts.roles import Role
from gadmin.services import Services
from gproxy.core.model import MODELS
from gproxy.core.schema import PLURALS, check, collect
from gproxy.ctl import files
from tests.gadmin.conftest import Visit, Visitor, services_in
from tests.gadmin.fleet.nodes import FakeNode, fake_node

EVIL = "'\"><img src=x onerror=alert(1)>"
MARKUP = "<img src=x"
EXAMPLES = sorted((Path(__file__).parents[3] / "conf" / "examples").iterdir())

Objects = dict[str, dict[str, Any]]


def replaced(value: Any, may: Callable[[tuple[Any, ...]], bool], place: tuple[Any, ...] = ()) -> Any:
    """Return a value with EVIL in place of each text, and of each key, whose place `may` be so replaced."""
    if isinstance(value, Mapping):
        return {
            EVIL if isinstance(item, str) and may((*place, key, "key")) else key: replaced(item, may, (*place, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [replaced(item, may, (*place, index)) for index, item in enumerate(value)]
    return EVIL if isinstance(value, str) and may(place) else value


def places(value: Any) -> list[tuple[Any, ...]]:
    """Return the places of all texts, and of the keys of texts."""
    found: list[tuple[Any, ...]] = []

    def note(place: tuple[Any, ...]) -> bool:
        found.append(place)
        return False

    replaced(value, note)
    return found


def as_evil_as_can_be(objects: Objects) -> Objects:
    """Return a configuration with EVIL wherever one alone would be valid and all together are."""
    for kind, documents in objects.items():
        for name, document in list(documents.items()):
            known, chosen = check(objects), set[tuple[Any, ...]]()
            for place in places(document):
                wanted = replaced(document, {*chosen, place}.__contains__)
                with contextlib.suppress(ValidationError):
                    MODELS[kind].model_validate({"name": name, **wanted})
                    if not check({**objects, kind: {**documents, name: wanted}}, known).problems:
                        chosen.add(place)
            documents[name] = replaced(document, chosen.__contains__)
    return objects


def examples() -> Objects:
    """Return the documents of all examples that can be together."""
    objects: Objects = {kind: {} for kind in PLURALS}
    for path in EXAMPLES:
        for kind, documents in collect(files.read(str(path)))[0].items():
            for name, document in documents.items():
                if not check({**objects, kind: {**objects[kind], name: document}}).problems:
                    objects[kind][name] = document
    return objects


@pytest.fixture(scope="module")
def node() -> Iterator[FakeNode]:
    """A node that says EVIL wherever it says anything."""
    with fake_node("n1") as made:
        event = {
            "kind": "circuit",
            "object": "server",
            "name": "u1",
            "from": "a",
            "to": "b",
            "cause": "c",
            "figures": {"d": "e"},
        }
        made.events.append({"id": 1, "time_ms": 5, **event})
        answer = made.answer
        made.answer = lambda path, query: replaced(  # type: ignore[method-assign]
            answer(path, query), lambda place: place[-1] not in ("name", "key")
        )
        made.explanation = {"answer": {"kind": EVIL, "detail": EVIL}, "candidates": [], "request": None, "node": EVIL}
        yield made


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, node: FakeNode) -> Iterator[Services]:
    made = services_in(tmp_path_factory.mktemp("admin"), fleet={"nodes": node.address})
    made.begin()
    yield made
    made.end()


@pytest.fixture(scope="module")
def written(services: Services, editor: Visitor) -> Objects:
    objects = as_evil_as_can_be(examples())
    lists = {PLURALS[kind]: list(documents.values()) for kind, documents in objects.items()}
    answer = editor.call("POST", "/apply", lists, query_string={"comment": EVIL})
    assert answer.status_code == 200, answer.text
    return objects


def test_configurations_that_are_full_of_markup(app: Flask, written: Objects, admin: Visitor, node: FakeNode) -> None:
    evil = sum(str(document).count(MARKUP) for documents in written.values() for document in documents.values())
    assert evil > 25, "there is much that may be any text"
    paths = ["/", "/monitor/", "/history/", "/history/1", "/history/0/rollback", "/proxies/", "/events/", "/users/"]
    for kind, documents in written.items():
        paths += [f"/{PLURALS[kind]}/", f"/{PLURALS[kind]}/+new"]
        for name in documents:
            object_path = f"/{PLURALS[kind]}/{name}"
            paths += [object_path, f"{object_path}/edit", f"{object_path}/delete", f"/{PLURALS[kind]}/+new?from={name}"]
    paths += [f"/apis/{name}/try" for name in written["api"]]
    paths += [f"/explain/?url={EVIL}&headers=A:{EVIL}&body={EVIL}&method={EVIL}&node={EVIL}", "/explain/?url=/a"]
    paths += [f"/servers/?search={EVIL}", f"/history/?kind={EVIL}", f"/login?next={EVIL}", f"/{EVIL}"]
    shown = 0
    for path in paths:
        answer = admin.get(path)
        assert answer.status_code < 500, (path, answer.text[:300])
        assert MARKUP not in answer.text, path
        shown += "&lt;img src=x" in answer.text
    assert shown > 50, "it is there, as text"


def test_accounts_that_are_full_of_markup(visit: Visit, admin: Visitor, services: Services) -> None:
    viewer = visit(Role.VIEWER, "mallory")
    user = services.accounts.directory.users["mallory"]
    services.accounts.log_in(user, EVIL, EVIL)
    made = viewer.post("/account/tokens", {"label": EVIL, "role": "viewer", "days": "30"})
    pages = [made, viewer.get("/account"), admin.get("/users/"), admin.get("/users/mallory")]
    pages += [admin.post("/users/", {"name": EVIL, "role": EVIL}), admin.get(f"/users/{EVIL}")]
    pages += [visit().post("/login", {"name": EVIL, "password": EVIL, "next": EVIL})]
    for page in pages:
        assert page.status_code < 500
        assert MARKUP not in page.text, page.request.path
    assert sum("&lt;img src=x" in page.text for page in pages) >= 4
