import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from gproxy.core.schema import PLURALS, check, collect
from gproxy.ctl import files
from gproxy.ctl.files import FORMATS, FileError
from tests.core import documents

SAME = {
    "json": '{"servers": [{"name": "u1", "weight": 2}]}',
    "yaml": "servers:\n  - name: u1\n    weight: 2\n",
    "toml": '[[servers]]\nname = "u1"\nweight = 2\n',
}
VALUE = {"servers": [{"name": "u1", "weight": 2}]}


def laughs(lines: int) -> str:
    """Return lists of ten of the list before: ten values on each line, and ten times as many meant as on the last."""
    meant = ["l0: &l0 [" + ", ".join("x" * 10) + "]"]
    meant += [f"l{at}: &l{at} [" + ", ".join([f"*l{at - 1}"] * 10) + "]" for at in range(1, lines)]
    return "\n".join(meant)


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.yml", "A.YAML", "a.toml"])
def test_the_name_tells_the_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(SAME[files.SUFFIXES[path.suffix.lower()]])
    assert files.read(str(path)) == VALUE


@pytest.mark.parametrize("form", FORMATS)
def test_standard_input_may_be_any_format(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SAME[form].encode())))
    assert files.read("-") == VALUE


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"a": 1,\n "b" 2}', "line 2 column 6"),
        ("a.json", '{"a": 1, "a": 2}', '"a" is given twice'),
        ("a.json", "", "Expecting value"),
        ("a.yaml", "a: 1\nb: }\n", "line 2 column 4"),
        ("a.yaml", "a: 1\nb: 2\na: 3\n", 'line 3 column 1: "a" is given twice'),
        ("a.yaml", "x: {b: 1, b: 2}\n", '"b" is given twice'),
        ("a.yaml", "a: !!python/object:os.system {}\n", "could not determine a constructor"),
        ("a.yaml", "a: 1\n---\nb: 2\n", "line 2 column 1: but found another document"),
        ("a.yaml", "a: \x00", "not allowed"),
        ("a.toml", "a = 1\na = 2\n", "line 2"),
        ("a.toml", "a: 1\n", "line 1, column 2"),
        ("a.yaml", "a: " + "[" * 50_000, "nested too deeply"),
        ("a.yaml", "- " * 50_000, "nested too deeply"),
        ("a.yaml", "a: &a [b, *a]\n", "*a stands within itself"),
        ("a.yaml", "a: [*b]\n", "undefined alias"),
        ("a.yaml", laughs(8), "has aliases that stand for too much"),
        ("a.json", '{"a": ' + "[" * 500_000, "nested too deeply"),
    ],
)
def test_a_wrong_text_is_said_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        files.read(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_duplicates_are_refused_on_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1, "a": 2}')))
    with pytest.raises(FileError, match="given twice"):
        files.read("-")


def test_yaml_merge_keys_work(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: &b {weight: 2, status: up}\nother: {<<: *b, weight: 3}\n")
    assert files.read(str(path))["other"] == {"weight": 3, "status": "up"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "must end in one of .json, .yaml, .yml, .toml"),
        ("a.json", None, "No such file"),
        ("a.yaml", b"a: \xff", "is not UTF-8 text"),
    ],
)
def test_a_wrong_file_is_said(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=said):
        files.read(str(path))


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(VALUE).encode())
    assert files.read(str(path)) == VALUE


@pytest.mark.parametrize("form", FORMATS)
def test_moments_are_text_with_or_without_quotes(form: str) -> None:
    sign = {"json": '{"at": "%s"}', "yaml": "at: %s\n", "toml": "at = %s\n"}[form]
    assert FORMATS[form][0](sign % "2026-12-24T18:00:00+00:00") == {"at": "2026-12-24T18:00:00+00:00"}
    assert FORMATS["yaml"][0]("at: 2026-12-24T18:00:00Z") == {"at": "2026-12-24T18:00:00Z"}
    value = {"at": "2026-12-24T18:00:00Z"}
    assert FORMATS[form][0](files.render(value, form)) == value


def test_what_toml_cannot_hold_is_said() -> None:
    with pytest.raises(FileError, match="TOML has no null"):
        files.render({"apis": [{"body": [None]}]}, "toml")


@pytest.mark.parametrize("form", FORMATS)
@given(lists=documents.configurations())
def test_what_is_written_reads_the_same(form: str, lists: dict[str, Any]) -> None:
    checked = check(collect(lists)[0]).compact({})
    value = {PLURALS[kind]: list(found.values()) for kind, found in checked.items()}
    text = files.render(value, form)
    assert FORMATS[form][0](text) == value
    assert files.sniffed(text) == value


def test_aliases_are_taken_for_what_they_stand_for() -> None:
    text = "base: &base {cluster: c}\nall: [*base, *base]\n"
    assert files.sniffed(text) == {"base": {"cluster": "c"}, "all": [{"cluster": "c"}, {"cluster": "c"}]}
    assert len(files.sniffed(laughs(4))["l3"]) == 10
