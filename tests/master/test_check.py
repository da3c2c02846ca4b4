import os
import socket
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.master.check import problems_here
from gproxy.master.pidfile import PidFile
from gproxy.settings import Settings


def asked(run_dir: Path, **sections: dict[str, str]) -> Settings:
    defaults = {"gproxy": {"bind": "127.0.0.1:0"}, "control": {"bind": "127.0.0.1:0"}}
    texts = {name: {**defaults.get(name, {}), **sections.get(name, {})} for name in {*defaults, *sections}}
    texts["gproxy"]["run_dir"] = str(run_dir)
    return settings.load(None, texts)


def test_good_settings_have_no_problems_and_leave_no_trace(tmp_path: Path) -> None:
    wanted = asked(tmp_path / "a" / "b", gproxy={"bind": f"127.0.0.1:0, unix:{tmp_path}/g.sock"})
    assert problems_here(wanted) == []
    assert list(tmp_path.iterdir()) == []


def test_every_problem_of_the_machine_is_listed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = problems_here(
        asked(
            tmp_path / "file" / "run",
            gproxy={"bind": "203.0.113.1:80"},
            log={"file": f"{tmp_path}/file/log"},
            store={"password_file": f"{tmp_path}/none"},
        )
    )
    assert found == [
        f"[gproxy] run_dir = {tmp_path}/file/run: {tmp_path}/file is not a folder",
        f"[log] file = {tmp_path}/file/log: {tmp_path}/file is not a folder",
        f"[store] password_file = {tmp_path}/none: cannot be read",
        "[gproxy] bind = 203.0.113.1:80: is no address of this machine",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_a_problem(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert problems_here(asked(tmp_path / "run")) == [
        f"[gproxy] run_dir = {tmp_path}/run: {tmp_path} cannot be written to"
    ]
    tmp_path.chmod(0o700)


def test_an_address_in_use_is_no_problem_when_gproxy_runs_here(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        wanted = asked(tmp_path, gproxy={"bind": address})
        assert problems_here(wanted) == [f"[gproxy] bind = {address}: is in use by another program"]
        pid_file = PidFile(tmp_path)
        pid_file.acquire()
        assert problems_here(wanted) == []
        pid_file.release()


def test_a_filter_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "a_filter_without_a_hook.py").write_text("class A: pass\n")
    section = {"extra": "no_such_module:A, a_filter_without_a_hook:A", "path": str(tmp_path)}
    found = problems_here(asked(tmp_path, filters=section))
    assert [problem.partition(": ")[0] for problem in found] == [
        "[filters] extra = no_such_module:A",
        "[filters] extra = a_filter_without_a_hook:A",
    ]
    assert found[1].endswith("has no for_api")


def test_certificates_are_complained_about_at_their_keys(tmp_path: Path) -> None:
    folder, none = tmp_path / "certificates", tmp_path / "none"
    tls = {"bind": "127.0.0.1:0", "certificates": str(folder)}
    assert problems_here(asked(tmp_path, tls=tls)) == [f"[tls] certificates = {folder}: No such file or directory"]
    folder.mkdir()
    (found,) = problems_here(asked(tmp_path, tls=tls))
    assert found.startswith(f"[tls] certificates = {folder}: there is no certificate in this folder (NAME.crt or")
    (folder / "a.crt").write_text("nonsense")
    (folder / "a.key").write_text("nonsense")
    clients = {"client_certificates": "required", "client_ca_file": str(none)}
    found, of_clients = problems_here(asked(tmp_path, tls={**tls, **clients}))
    assert found.startswith(f"[tls] certificates = {folder}: a: ")
    assert of_clients == f"[tls] client_ca_file = {none}: No such file or directory"
