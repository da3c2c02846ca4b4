from gadmin.api import operations


def test_a_kind_has_a_list_and_its_objects() -> None:
    paths = operations.of_kind("server", "servers", "Server", ["name", "weight"])
    assert set(paths) == {"/servers", "/servers/{name}"}
    parameters = {one["name"] for one in paths["/servers"]["get"]["parameters"]}
    assert {"limit", "offset", "search", "defaults", "weight"} <= parameters
    assert set(paths["/servers/{name}"]) == {"parameters", "get", "put", "delete"}


def test_every_operation_has_a_name_of_its_own_and_problem_documents() -> None:
    paths = {
        **operations.of_kind("server", "servers", "Server", []),
        **operations.whole(["server"], {"server": "servers"}),
    }
    found = [item for path in paths.values() for method, item in path.items() if method != "parameters"]
    names = [operation["operationId"] for operation in found]
    assert len(names) == len(set(names))
    for operation in found:
        assert "application/problem+json" in operation["responses"]["400"]["content"]
