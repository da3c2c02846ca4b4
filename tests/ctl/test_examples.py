from pathlib import Path

import pytest

from gproxy.core.model import MODELS
from gproxy.core.schema import KINDS, check, collect
from gproxy.ctl import files

EXAMPLES = sorted((Path(__file__).parents[2] / "conf" / "examples").iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    objects, problems = collect(files.read(str(path)))
    assert [str(problem) for problem in (*problems, *check(objects).problems)] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_follow_any_other(path: Path) -> None:
    """It lists all kinds: what another one left in the store might refer to what this one does not have."""
    assert set(collect(files.read(str(path)))[0]) == set(KINDS)


def test_the_examples_show_every_field() -> None:
    shown = {word for path in EXAMPLES for word in path.read_text(encoding="utf-8").replace("=", ":").split()}
    fields = {f"{field}:" for model in MODELS.values() for field in model.model_fields}
    assert not {field for field in fields if field not in shown and field.rstrip(":") not in shown}
