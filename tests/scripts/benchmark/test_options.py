import argparse

import pytest

from scripts.benchmark.options import known, read_options
from scripts.benchmark.workloads import WORKLOADS


def test_the_default_is_everything() -> None:
    options = read_options([])
    assert options.workloads == list(WORKLOADS)
    assert options.proxies == ["nginx", "haproxy", "gproxy"]
    assert (options.rounds, options.seconds) == (3, 3)


def test_quick_is_one_round_of_one_second() -> None:
    options = read_options(["--quick", "--only", "idle,small_get", "--proxies", "gproxy,nginx"])
    assert (options.rounds, options.seconds) == (1, 1)
    assert [workload.name for workload in options.workloads] == ["small_get", "idle"]
    assert options.proxies == ["nginx", "gproxy"]


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"unknown: c, d; there are a, b"):
        known("a,c,d", ["a", "b"])


@pytest.mark.parametrize(
    "arguments",
    [["--only", "nothing"], ["--proxies", "apache"], ["--rounds", "0"], ["--gproxy-command", "x"], ["--fast"]],
)
def test_wrong_arguments_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err
