import importlib
import json
from pathlib import Path

import pytest

from scripts.benchmark.measure import Sample
from scripts.benchmark.options import read_options
from scripts.benchmark.workloads import WORKLOADS

main = importlib.import_module("scripts.benchmark.__main__")


def test_every_sample_and_the_medians_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    found = [(WORKLOADS[0], {"nginx": [Sample(cost=1.0), Sample(cost=3.0), Sample(cost=2.0)]})]
    main.write_json(path, read_options(["--rounds", "3"]), {"kernel": "6"}, found)
    stored = json.loads(path.read_text())
    assert stored["machine"] == {"kernel": "6"}
    assert [sample["cost"] for sample in stored["samples"]["small_get"]["nginx"]] == [1.0, 3.0, 2.0]
    assert stored["medians"]["small_get"]["nginx"]["cost"] == 2.0


def test_term_is_like_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        main.interrupted(15, None)


def test_the_machine_is_described() -> None:
    about = main.machine({"gproxy": "not asked", "echo": "echo"})
    assert about["echo"] == "-v"
    assert "cores" in about["processor"]
