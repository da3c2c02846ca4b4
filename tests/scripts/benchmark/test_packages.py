import os
from pathlib import Path

import pytest

from scripts.benchmark import packages
from scripts.benchmark.process import BenchError


def test_what_is_there_is_found() -> None:
    assert packages.need(["sh"])["sh"].endswith("/sh")


def test_a_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BenchError, match="sudo apt-get install no-such-program"):
        packages.need(["sh", "no-such-program"])


def test_services_are_held_back_while_installing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.services_held_back():
        assert "exit 101" in policy.read_text()
        assert os.access(policy, os.X_OK)
    assert not policy.exists()


def test_a_policy_of_the_machine_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("its own")
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.services_held_back():
        pass
    assert policy.read_text() == "its own"


def test_the_version_is_the_first_line_on_either_output() -> None:
    assert packages.version("echo", "1.2") == "1.2"
    assert packages.version("true", "-v") == ""
