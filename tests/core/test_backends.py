import pytest

from gproxy.core.backends import Cluster, Endpoint, Timeouts, Tls, compile_cluster, compile_server
from gproxy.core.model import MODELS, normalised


def cluster(names: str, **fields: object) -> Cluster:
    servers = {name: compile_server(server(name), row) for row, name in enumerate(names)}
    document = {"name": "c", "servers": list(names), **fields}
    return compile_cluster(normalised(MODELS["cluster"].model_validate(document)), servers)


def server(name: str, **fields: object) -> dict[str, object]:
    document = {"name": name, "address": "127.0.0.1:9001", **fields}
    return normalised(MODELS["server"].model_validate(document))


@pytest.mark.parametrize("address", ["127.0.0.1:80", "[::1]:80", "unix:/run/a", "example.com:8080"])
def test_an_endpoint_is_said_as_its_address(address: str) -> None:
    assert str(Endpoint.parse(address, None)) == address


def test_timeouts_fill_gaps_from_wider_ones() -> None:
    assert Timeouts(1, None, None).over(Timeouts(2, 0, None)) == Timeouts(1, 0, None)


def test_who_takes_the_traffic_when_some_are_passed_over() -> None:
    servers = {"a": compile_server(server("a"), 0), "b": compile_server(server("b", backup=True), 1)}
    document = normalised(MODELS["cluster"].model_validate({"name": "c", "servers": ["a", "b"]}))
    made = compile_cluster(document, servers)
    assert [member.name for member in made.without({5})] == ["a"]
    assert [member.name for member in made.without({0})] == ["b"]
    assert not made.without({0, 1})


def test_a_cluster_needs_its_servers() -> None:
    with pytest.raises(KeyError):
        compile_cluster(normalised(MODELS["cluster"].model_validate({"name": "c", "servers": ["a"]})), {})


def test_what_looks_at_the_request_is_not_in_turns() -> None:
    assert cluster("ab").is_in_turns
    assert not cluster("ab", sticky_cookie="sid").is_in_turns
    assert not cluster("ab", load_balance="random").is_in_turns


def test_only_an_https_server_has_tls() -> None:
    assert compile_server(server("a"), 0).endpoint.tls is None
    assert compile_server(server("a", scheme="https"), 0).endpoint.tls == Tls()
