from gproxy.core.references import REFERENCES, Reference, references, used_by, without
from gproxy.core.schema import KINDS

OBJECTS = {
    "server": {"u1": {"name": "u1"}, "u2": {"name": "u2"}},
    "cluster": {"users": {"name": "users", "servers": ["u1", "u2"]}, "one": {"name": "one", "servers": ["u1"]}},
    "api": {
        "all": {"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]},
        "both": {"name": "both", "path": "/b", "nodes": [{"cluster": "users", "attr": "a"}, {"cluster": "one"}]},
    },
}


def test_a_document_tells_what_it_names() -> None:
    assert list(references("cluster", OBJECTS["cluster"]["users"])) == [
        Reference("servers[0]", "server", "u1"),
        Reference("servers[1]", "server", "u2"),
    ]
    assert list(references("api", OBJECTS["api"]["both"])) == [
        Reference("nodes[0].cluster", "cluster", "users"),
        Reference("nodes[1].cluster", "cluster", "one"),
    ]


def test_what_has_no_form_names_nothing() -> None:
    for document in (None, [], {"servers": "u1"}, {"servers": [1, None]}, {}):
        assert list(references("cluster", document)) == []
    assert list(references("api", {"nodes": [None, {"cluster": 3}]})) == []


def test_who_uses_an_object() -> None:
    assert used_by(OBJECTS, "server", ["u1"]) == [("cluster", "users"), ("cluster", "one")]
    assert used_by(OBJECTS, "cluster", ["one"]) == [("api", "both")]
    assert used_by(OBJECTS, "api", ["all"]) == []


def test_a_server_is_taken_out_of_its_clusters() -> None:
    left = without(OBJECTS, "server", "u1")
    assert left["cluster"] == {"users": {"name": "users", "servers": ["u2"]}, "one": {"name": "one", "servers": []}}
    assert left["api"] == OBJECTS["api"]
    assert "u1" in OBJECTS["server"], "the given objects stay as they are"


def test_an_api_goes_with_its_last_node_only() -> None:
    left = without(OBJECTS, "cluster", "users")
    assert list(left["api"]) == ["both"]
    assert left["api"]["both"]["nodes"] == [{"cluster": "one"}]


def test_a_rule_goes_with_its_api_and_with_its_cluster() -> None:
    rules = {
        "of-all": {"name": "of-all", "api": "all", "cluster": "one"},
        "any": {"name": "any", "cluster": "one"},
    }
    objects = {**OBJECTS, "routing": rules}
    assert [reference.name for reference in references("routing", rules["of-all"])] == ["all", "one"]
    assert list(without(objects, "api", "all")["routing"]) == ["any"]
    assert list(without(objects, "cluster", "one")["routing"]) == []
    assert list(without(objects, "cluster", "users")["routing"]) == ["any"]


def test_every_kind_of_the_table_is_a_kind() -> None:
    assert {*REFERENCES, *(kind for paths in REFERENCES.values() for kind in paths.values())} <= {*KINDS}
