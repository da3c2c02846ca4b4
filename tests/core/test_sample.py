import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.comparison import Difference
from gproxy.core.sample import sample

ABOUT: dict[str, str | int] = {"rule": "shadow", "time_ms": 1_700_000_000_000, "target": "/a"}


def test_all_that_fits_is_told() -> None:
    found = [Difference("status", "200", "500"), Difference("body.a", None, "1")]
    assert json.loads(sample(ABOUT, found, 4_000)) == {
        **ABOUT,
        "differences": [
            {"place": "status", "primary": "200", "mirror": "500"},
            {"place": "body.a", "primary": None, "mirror": "1"},
        ],
    }


def test_what_does_not_fit_is_left_out() -> None:
    found = [Difference(f"body.{number}", "x" * 100, "y" * 100) for number in range(50)]
    told = json.loads(sample(ABOUT, found, 1_000))
    assert 1 < len(told["differences"]) < 10
    assert told["differences"][0]["primary"] == "x" * 100


@pytest.mark.parametrize("text", ["x", "\0", "\ud800", "é"])
def test_long_texts_are_cut(text: str) -> None:
    about = {**ABOUT, "target": "/" + text * 8_000}
    told = sample(about, [Difference("body", text * 5_000, None)], 4_000)
    assert len(told) <= 4_000
    shown = json.loads(told)
    assert shown["target"].endswith("...")
    assert shown["differences"][0]["primary"].startswith(text * 10)


@given(st.lists(st.builds(Difference, st.text(), st.text() | st.none(), st.text()), min_size=1, max_size=8), st.text())
def test_it_always_fits_and_reads(found: list[Difference], target: str) -> None:
    told = sample({**ABOUT, "target": target}, found, 1_000)
    assert len(told) <= 1_000
    assert json.loads(told)["differences"]
