import pytest

from gproxy.core.model.variables import wrong_variables


@pytest.mark.parametrize(
    ("names", "path", "problems"),
    [
        (["path.id", "query.x", "host"], "/users/{id}", []),
        (["path.id"], "/users", ["/users has no variable id"]),
        (["*"], "/users/*", []),
        (["*", "path.x"], "/users", ["/users has no * that could stand for something", "/users has no variable x"]),
        (["2"], "~^/(a)/(b)$", []),
        (["3"], "~^/(a)/(b)$", ["~^/(a)/(b)$ has no group 3"]),
    ],
)
def test_variables_of_a_path(names: list[str], path: str, problems: list[str]) -> None:
    place = ("nodes", 0, "rewrite")
    assert list(wrong_variables(place, names, path)) == [(place, problem) for problem in problems]
