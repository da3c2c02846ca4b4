from pathlib import Path

import pytest

from gadmin.__main__ import main
from scripts.processes import free_ports
from tests.harness.admin import Admin
from tests.harness.certificates import Certificates


def test_settings_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.ini").write_text("[gadmin]\nthreads = 4\n")
    assert main(["-t", "-c", str(tmp_path / "good.ini")]) == 0
    (tmp_path / "bad.ini").write_text("[gadmin]\nthreads = 0\nbind = x\n")
    assert main(["-t", "-c", str(tmp_path / "bad.ini")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["-t", "--store", "mysql://x"]) == 2


def test_it_serves_and_tells_the_first_password_once(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/gateway.db"
    with Admin(tmp_path, store) as admin:
        assert len(admin.password) > 20
        assert admin.call("GET", "/servers")[0] == 401
        assert admin.call("GET", "/openapi.json")[0] == 200
    with Admin(tmp_path, store) as again:
        assert "password" not in again.log()


def test_a_forgotten_password_is_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = f"sqlite:///{tmp_path}/gateway.db"
    assert main(["--store", store, "--reset-password", "admin"]) == 0
    assert "the new password of admin is" in capsys.readouterr().out
    assert main(["--store", store, "--reset-password", "nobody"]) == 1
    assert "there is no user nobody" in capsys.readouterr().err


def test_an_address_that_is_taken_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    store = f"sqlite:///{tmp_path}/gateway.db"
    with Admin(tmp_path, store, {"gadmin": {"bind": f"127.0.0.1:{port}"}}):
        assert main(["--store", store, "-b", f"127.0.0.1:{port}"]) == 1
    assert "is in use by another program" in capsys.readouterr().err


def test_it_serves_https(tmp_path: Path) -> None:
    cert_file, key_file = Certificates.create(tmp_path).client(tmp_path, "admin.test")
    settings = {"gadmin": {"cert_file": cert_file, "key_file": key_file}}
    with Admin(tmp_path, f"sqlite:///{tmp_path}/gateway.db", settings) as admin:
        assert admin.url.startswith("https://")
