import pytest

from gproxy.core.model.variables import check_variables


@pytest.mark.parametrize(
    ("names", "path", "problem"),
    [
        (["path.id", "query.x", "host"], "/users/{id}", None),
        (["path.id"], "/users", "rewrite: /users has no variable id"),
        (["*"], "/users/*", None),
        (["*"], "/users", "rewrite: /users has no * that could stand for something"),
        (["2"], "~^/(a)/(b)$", None),
        (["3"], "~^/(a)/(b)$", "has no group 3"),
    ],
)
def test_variables_of_a_path(names: list[str], path: str, problem: str | None) -> None:
    if problem is None:
        check_variables("rewrite", names, path)
        return
    with pytest.raises(ValueError, match="rewrite: ") as caught:
        check_variables("rewrite", names, path)
    assert problem in str(caught.value)
