import contextlib
import importlib
from collections import Counter
from typing import Any
from unittest.mock import MagicMock

import pytest

from scripts.long_run.samples import Sample

main = importlib.import_module("scripts.long_run.__main__")


@pytest.mark.parametrize(
    ("grows_by", "log", "code", "told"),
    [(0, "all well", 0, ""), (1 << 20, "all well", 1, "memory_bytes grows"), (0, "Traceback (most", 1, "its own")],
)
def test_what_makes_a_run_fail(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    grows_by: int,
    log: str,
    code: int,
    told: str,
) -> None:
    stage: Any = MagicMock(log=lambda: log)
    taken = [Sample(10.0 * at, "worker", 1, (50 << 20) + at * grows_by, 30, 2, 9, 1000) for at in range(90)]
    monkeypatch.setattr(main, "standing", lambda folder: contextlib.nullcontext(stage))
    monkeypatch.setattr(main, "soak", lambda *_: (taken, Counter({"GET: 200": 1})))
    assert main.main([]) == code
    shown = capsys.readouterr()
    assert "| GET | 200 1 |" in shown.out
    assert told in shown.err
