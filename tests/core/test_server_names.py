import pytest

from gproxy.core.server_names import Certificate, ServerNames

NOW = 1000.0


def certificate(name: str, *hosts: str, until: int = 2000, since: int = 0) -> Certificate:
    return Certificate(name, hosts, since, until)


def found(names: ServerNames, host: str | None) -> str | None:
    chosen = names.find(host)
    return chosen.name if chosen else None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.test", "a"),
        ("A.Test", "a"),
        ("a.test.", "a"),
        ("x.wild.test", "w"),
        ("exact.wild.test", "e"),
        ("y.x.wild.test", "d"),
        ("wild.test", "d"),
        ("test", "d"),
        ("", "d"),
        (None, "d"),
    ],
)
def test_exact_then_wildcard_then_default(host: str | None, name: str) -> None:
    certificates = [
        certificate("d"),
        certificate("w", "*.wild.test"),
        certificate("e", "exact.wild.test"),
        certificate("a", "a.test", "b.test"),
    ]
    assert found(ServerNames(certificates, "d", NOW), host) == name


@pytest.mark.parametrize(("default", "name"), [("", "a"), ("b", "b"), ("none", None), ("gone", None)])
def test_the_default(default: str, name: str | None) -> None:
    names = ServerNames([certificate("b", "b.test"), certificate("a", "a.test")], default, NOW)
    assert found(names, "other.test") == name
    assert found(names, "b.test") == "b"


@pytest.mark.parametrize(
    ("rivals", "name"),
    [
        ([certificate("a", "x", until=1500), certificate("b", "x", until=1600)], "b"),
        ([certificate("a", "x", until=900), certificate("b", "x", until=1100)], "b"),
        ([certificate("a", "x", until=9000, since=1001), certificate("b", "x", until=1100)], "b"),
        ([certificate("b", "x"), certificate("a", "x")], "a"),
        ([certificate("a", "x", until=999)], "a"),
    ],
)
def test_which_of_several_for_one_name(rivals: list[Certificate], name: str) -> None:
    assert found(ServerNames(rivals, "none", NOW), "x") == name


def test_without_any_certificate() -> None:
    assert found(ServerNames([], "", NOW), "a.test") is None
