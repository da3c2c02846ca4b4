import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core import json_check
from gproxy.core.json_check import is_json, runs

PIECES = st.integers(1, 12)
texts = st.recursive(
    st.sampled_from(["1", '"a"', '"},{"', '"],["', '"\\""', "null", "-0.5e1", "{}", "[]", '""', '"é"']),
    lambda inner: (
        st.lists(inner, max_size=5).map(lambda items: "[" + ",".join(items) + "]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b,"', '""', '"{["']), inner), max_size=4).map(
            lambda pairs: "{ " + " , ".join(f"{key} : {value}" for key, value in pairs) + " }"
        )
    ),
    max_leaves=20,
)


@given(texts, PIECES)
def test_a_valid_text_is_valid_in_pieces(text: str, piece: int) -> None:
    assert is_json(text.encode(), piece=piece)


@given(texts, st.data(), PIECES)
def test_a_text_with_a_fault_is_judged_as_if_at_once(text: str, data: st.DataObject, piece: int) -> None:
    whole = text.encode()
    at = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 2))
    instead = data.draw(
        st.sampled_from([b"", b",", b"[", b"]", b"{", b"}", b'"', b":", b"1", b" ", b"\\", b"\xff", b"\n"])
    )
    broken = whole[:at] + instead + whole[at + length :]
    assert is_json(broken, piece) == is_json(broken, piece=len(broken))


@given(st.text(st.sampled_from('[]{},:"1a \\'), max_size=40), PIECES)
def test_noise_is_judged_as_if_at_once(text: str, piece: int) -> None:
    assert is_json(text.encode(), piece) == is_json(text.encode(), piece=1000)


@pytest.mark.parametrize(
    "text",
    [
        *("[1,2,,3,4,5,6]", "[,1,2,3,4,5,6]", "[1,2,3,4,5,6,]", "[1,2,3,4,5,6", "1,2,3,4,5,6]", "1,2,3,4,5,6"),
        *('{"a":1,,"b":2,"c":3}', '{"a":1,"b":2,"c":3,}', '{,"a":1,"b":2}', '{"a":1,"b","c":3,"d":4}', '{"a":1,2,3,4}'),
        *('[1,"a":2,3,4,5]', "[[1,2,3,4],[5,6,7}]", '{"a":[1,2,3,4},"b":1]', "[1,2,3] ,4,5,6", '["a,b,c,d,e,f]'),
        *("[{},{},{},{}},{}]", "[[],[],[]],[],[]]", "[1,2,3,4,5]]", '{"a":{"b":1,"c":2}},"d":3}'),
    ],
)
def test_no_cut_hides_a_fault(text: str) -> None:
    for piece in range(1, len(text)):
        assert not is_json(text.encode(), piece=piece), piece


def item(number: int) -> Any:
    return {"id": number, "name": "Ada, {Lovelace}", "tags": ["a", 1.5, None], "more": [{"x": number}, {"y": {}}]}


SHAPES = {
    "list of objects": [item(number) for number in range(5000)],
    "wrapped": {"total": 5000, "items": [item(number) for number in range(5000)], "next": None},
    "wrapped twice": {"data": {"items": [item(number) for number in range(5000)]}},
    "by name": {f"k{number}": item(number) for number in range(5000)},
    "numbers": list(range(100_000)),
    "lists": [[1, 2, 3]] * 50_000,
    "texts": ["},{ and ],["] * 40_000,
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_text_is_checked_in_steps(shape: str, indent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(SHAPES[shape], indent=indent).encode()
    steps: list[int] = []
    check = json_check._is_valid

    def noted(step: bytes) -> bool:
        steps.append(len(step))
        return check(step)

    monkeypatch.setattr(json_check, "_is_valid", noted)
    piece = len(text) // 20
    assert is_json(text, piece=piece)
    assert max(steps) < 3 * piece
    rests: list[None] = []
    assert is_json(text, lambda: rests.append(None), piece)
    assert len(rests) >= len(text) // (3 * piece)
    assert not is_json(text[:-1], piece=piece)
    assert not is_json(text[: len(text) // 2] + b"\x01" + text[len(text) // 2 :], piece=piece)


def test_one_long_string_cannot_be_cut() -> None:
    assert is_json(b'"%b"' % (b"x," * 500_000))
    assert not is_json(b'"%b' % (b"x," * 500_000))
    assert not is_json(b'"%b\xff"' % (b"x," * 500_000))


containers = texts.filter(lambda text: text[0] in "[{")


@given(containers, PIECES)
def test_runs_hold_what_the_whole_holds(text: str, piece: int) -> None:
    data = text.encode()
    found = list(runs(data, msgspec.json.decode, piece=piece))
    if data.startswith(b"["):
        assert [item for run in found for item in run] == json.loads(data)
    else:
        members: dict[str, Any] = {}
        for run in found:
            members |= run
        assert members == json.loads(data)


def test_runs_of_what_is_large() -> None:
    for value in (SHAPES["list of objects"], SHAPES["by name"], SHAPES["numbers"]):
        text = json.dumps(value).encode()
        assert len(list(runs(text, msgspec.json.decode, piece=len(text) // 20))) >= 8


def test_what_cannot_be_cut_is_one_run() -> None:
    text = json.dumps(SHAPES["wrapped twice"]).encode()
    assert len(list(runs(text, msgspec.json.decode, piece=1000))) == 1
