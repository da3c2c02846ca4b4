"""The corpus of the fuzzer, and inputs near it, break no law; scripts/fuzz looks further."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gproxy.core.http1 import parse_request_fields, parse_response_head
from tests.fuzz.__main__ import messages
from tests.fuzz.targets import TARGETS, Target, keep, kept

#: How many inputs are made out of the corpus of each target.
_MUTANTS = 200
_FIELDS = parse_request_fields(b"Host: a\r\n", b"1", 100)
_HEAD = parse_response_head(b"HTTP/1.1 200 OK\r\n", 100)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_kept_inputs_break_no_law(target: Target) -> None:
    inputs = [*kept(target), *messages(target)]
    assert inputs
    for data in inputs:
        target.holds(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_inputs_near_them_break_no_law(target: Target) -> None:
    chance = random.Random(target.name)  # the same ones every time: a failure is never luck
    inputs = [*kept(target), *messages(target)]
    for _ in range(_MUTANTS):
        data = chance.choice(inputs)
        for _ in range(chance.randint(1, 3)):
            start, end = sorted(chance.choices(range(len(data) + 1), k=2))
            word = chance.choice((*target.words, chance.randbytes(1), data[start:end]))
            data = data[:start] + word + data[chance.choice((start, start + 1, end)) :]
        target.holds(data)


@pytest.mark.parametrize(
    ("name", "where", "fault"),
    [
        ("request_heads", "tests.fuzz.heads.parse_request_fields", lambda block, *_: replace(_FIELDS, length=7)),
        ("request_heads", "tests.fuzz.heads.is_hopeless", lambda data: b"\r" in data),
        ("response_heads", "tests.fuzz.heads.parse_response_head", lambda head, _: replace(_HEAD, status=201)),
        ("chunked_bodies", "gproxy.core.chunked._LINE_BYTES", 2),
        ("announcements", "gproxy.core.proxy_protocol._FIXED_BYTES", 15),
        ("paths", "gproxy.core.path._DOT_SEGMENT", re.compile(rb"/\.\./")),
        ("expressions", "tests.fuzz.expressions._SIGNS", {"==": "==", "!=": "!="}),
        ("connections", "gproxy.core.http1._FIELD_BLOCK", re.compile(rb".*", re.DOTALL)),
        ("http2_frames", "gproxy.worker.http2.stream.LAST_CHUNK", None),
    ],
)
def test_a_fault_breaks_a_law(monkeypatch: pytest.MonkeyPatch, name: str, where: str, fault: object) -> None:
    target = TARGETS[name]
    monkeypatch.setattr(where, fault)
    assert any(_is_broken_by(target, data) for data in [*kept(target), *messages(target)])


def _is_broken_by(target: Target, data: bytes) -> bool:
    try:
        target.holds(data)
    except Exception:
        return True
    return False


def test_a_corpus_is_read_as_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.targets.CORPUS", tmp_path)
    inputs = {b"", b"\r\n\0\\x41\xff\x85\x1c\x0b", b'"', bytes(range(256))}
    keep(TARGETS["paths"], inputs)
    assert set(kept(TARGETS["paths"])) == inputs
