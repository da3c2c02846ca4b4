import pytest

from gproxy.core.backends import Timeouts
from gproxy.core.model import MODELS, normalised
from gproxy.core.schema import check, collect
from gproxy.core.shorthand import implied_apis
from gproxy.core.snapshot import Hooks, SnapshotBuilder
from gproxy.store.snapshot_file import render
from tests.core.snapshot_lines import lines

CLUSTERS = [
    {"name": "users", "url_pattern": "/users/*"},
    {"name": "exact", "url_pattern": "/users/me"},
    {"name": "any", "url_pattern": r"~.*"},
    {"name": "none"},
]


def test_only_clusters_with_a_url_pattern_are_apis() -> None:
    objects, _ = collect({"clusters": CLUSTERS})
    found = implied_apis(check(objects).entities["cluster"])
    assert {name: (api.path, api.nodes[0].cluster) for name, api in found.items()} == {
        "cluster/users": ("/users/*", "users"),
        "cluster/exact": ("/users/me", "exact"),
        "cluster/any": ("~.*", "any"),
    }


@pytest.mark.parametrize(
    ("path", "api"),
    [
        (b"/users/7", "cluster/users"),
        (b"/users/me", "cluster/exact"),
        (b"/other", "cluster/any"),
        (b"/low", "low"),
    ],
)
def test_they_come_after_every_api_in_the_usual_order(path: bytes, api: str) -> None:
    objects, problems = collect({"clusters": CLUSTERS})
    assert problems == []
    implied = implied_apis(check(objects).entities["cluster"])
    builder = SnapshotBuilder(1, Timeouts(), lambda document: Hooks())
    low = {"name": "low", "path": "/low", "priority": -1_000_000, "nodes": [{"cluster": "none"}]}
    for line in lines((), CLUSTERS, [low]):
        builder.add(line)
    for row, (name, entity) in enumerate(implied.items(), 10):
        assert entity.name == name
        builder.add(render("api", normalised(entity), row))
    found = builder.build().router.find(b"a", b"GET", path)
    assert found is not None
    assert found.target.name == api


def test_no_document_can_have_such_a_name() -> None:
    with pytest.raises(ValueError, match="must be 1 to 128 letters"):
        MODELS["api"].model_validate({"name": "cluster/users", "path": "/", "nodes": [{"cluster": "users"}]})
