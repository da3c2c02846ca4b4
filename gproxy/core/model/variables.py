"""Whether the path of an API has what its templates speak of."""

from collections.abc import Iterable

from gproxy.core.model.base import Problems
from gproxy.core.pattern import Form, Pattern


def wrong_variables(place: tuple[int | str, ...], names: Iterable[str], path: str) -> Problems:
    """Yield which of the variables `names`, used at `place`, can never have a value."""
    pattern = Pattern.parse(path)
    for name in names:
        if name.startswith("path.") and name[5:] not in pattern.names:
            yield place, f"{path} has no variable {name[5:]}"
        if name == "*" and pattern.form is not Form.PREFIX:
            yield place, f"{path} has no * that could stand for something"
        if name.isdigit() and int(name) > len(pattern.names):
            yield place, f"{path} has no group {name}"
