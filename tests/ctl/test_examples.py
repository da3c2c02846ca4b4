from pathlib import Path

import pytest

from gproxy.core.model import MODELS
from gproxy.core.schema import check, collect
from gproxy.ctl import files

EXAMPLES = sorted((Path(__file__).parents[2] / "conf" / "examples").iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    objects, problems = collect(files.read(str(path)))
    assert [str(problem) for problem in (*problems, *check(objects).problems)] == []


def test_the_examples_show_nearly_every_field() -> None:
    """What is left out limits traffic in ways that come later, or is a matter of course."""
    shown = {word for path in EXAMPLES for word in path.read_text(encoding="utf-8").replace("=", ":").split()}
    fields = {f"{field}:" for model in MODELS.values() for field in model.model_fields}
    missing = {field for field in fields if field not in shown and field.rstrip(":") not in shown}
    assert missing <= {"max_qps:", "burst:", "max_connections:", "slow_start_s:"}
