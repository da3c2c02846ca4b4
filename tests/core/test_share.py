import pytest

from gproxy.core.share import Share


def test_a_share_of_a_document() -> None:
    assert Share.compiled(None) is None
    assert Share.compiled({"percent": 5.0, "errors": False}) == Share(5.0, False)


@pytest.mark.parametrize(
    ("percent", "chance", "held"),
    [(100, 0.999, True), (50, 0.499, True), (50, 0.5, False), (0, 0.0, False)],
)
def test_chance_decides(percent: float, chance: float, held: bool) -> None:
    assert Share(percent).holds(200, "", chance) is held


@pytest.mark.parametrize(("status", "code", "is_error"), [(399, "", False), (400, "", True), (200, "broken", True)])
def test_errors_are_held_whatever_the_chance(status: int, code: str, is_error: bool) -> None:
    assert Share(0, True).holds(status, code, 0.9) is is_error
    assert not Share(0, False).holds(status, code, 0.9)
