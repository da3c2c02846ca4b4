from typing import Any

from gproxy.core.mirror import Mirror
from gproxy.core.model import MODELS, normalised


def document(**fields: Any) -> dict[str, Any]:
    return normalised(MODELS["routing"].model_validate({"name": "r", "cluster": "c", **fields}))


def test_a_split_mirrors_nothing() -> None:
    assert Mirror.compiled(document()) is None


def test_how_copies_are_made() -> None:
    assert Mirror.compiled(document(action="mirror")) == Mirror(5, 65_536, None)
    made = Mirror.compiled(document(action="mirror", timeout_s=1, max_body_bytes=7, compare={"ignore": ["a.*"]}))
    assert made is not None
    assert made.compare is not None
    assert (made.timeout_s, made.most_bytes, made.compare.ignored) == (1, 7, (("a", "*"),))
