"""Whether the path of an API has what its templates speak of."""

from collections.abc import Iterable

from gproxy.core.pattern import Form, Pattern


def check_variables(place: str, names: Iterable[str], path: str) -> None:
    """Raise ValueError when one of the variables `names`, used at `place`, can never have a value."""
    pattern = Pattern.parse(path)
    for name in names:
        if name.startswith("path.") and name[5:] not in pattern.names:
            raise ValueError(f"{place}: {path} has no variable {name[5:]}")
        if name == "*" and pattern.form is not Form.PREFIX:
            raise ValueError(f"{place}: {path} has no * that could stand for something")
        if name.isdigit() and int(name) > len(pattern.names):
            raise ValueError(f"{place}: {path} has no group {name}")
