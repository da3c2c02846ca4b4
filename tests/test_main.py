from pathlib import Path

import pytest

from gproxy import __version__
from gproxy.__main__ import main


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"gproxy {__version__}\n"


def test_wrong_arguments_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--storage", "x"])
    assert left.value.code == 2
    assert "unrecognized arguments: --storage" in capsys.readouterr().err


def test_t_says_that_all_is_good_and_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ini = tmp_path / "g.ini"
    ini.write_text(f"[gproxy]\nrun_dir = {tmp_path}/run\n[control]\nbind = 127.0.0.1:0\n")
    assert main(["-c", str(ini), "-b", "127.0.0.1:0", "-b", "[::1]:0", "-w", "3", "-t"]) == 0
    assert capsys.readouterr().out == f"gproxy: the settings in {ini} are good\n"
    assert [path.name for path in tmp_path.iterdir()] == ["g.ini"]


def test_t_says_which_file_it_has_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "gproxy.ini").write_text("[gproxy]\nbind = 127.0.0.1:0\n[control]\nbind = 127.0.0.1:0\n")
    assert main(["-t"]) == 0
    assert capsys.readouterr().out == "gproxy: the settings in conf/gproxy.ini are good\n"
    (tmp_path / "conf" / "gproxy.ini").unlink()
    main(["-b", "127.0.0.1:0", "-t"])
    captured = capsys.readouterr()  # another program may have the default address of the control endpoint
    assert "the default settings are good (there is no conf/gproxy.ini)" in captured.out or "in use" in captured.err


def test_every_problem_of_file_and_options_is_a_line_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "g.ini"
    ini.write_text("[log]\nlevel = loud\n")
    for more in ([], ["-t"]):
        assert main(["-c", str(ini), "-w", "x", "-b", "here", "--store", "y", *more]) == 2
        assert capsys.readouterr().err.splitlines() == [
            "gproxy: [gproxy] bind = here: here: must be host:port, [v6]:port, :port or unix:/path, port 0 to 65535",
            "gproxy: [gproxy] workers = x: must be auto or a number from 1 to 128",
            "gproxy: [store] url = y: must be sqlite:///path or etcd://host:port[,host:port]/prefix",
            "gproxy: [log] level = loud: must be one of debug, info, warning, error",
        ]


def test_t_also_looks_at_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ini = tmp_path / "g.ini"
    ini.write_text(f"[gproxy]\nbind = 203.0.113.1:1\nrun_dir = {tmp_path}\n[control]\nbind = 127.0.0.1:0\n")
    assert main(["-c", str(ini), "-t"]) == 2
    assert capsys.readouterr().err == "gproxy: [gproxy] bind = 203.0.113.1:1: is no address of this machine\n"


def test_what_keeps_it_from_starting_is_one_line_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "g.ini"
    (tmp_path / "run").touch()
    ini.write_text(f"[gproxy]\nrun_dir = {tmp_path}/run\n[control]\nbind = 127.0.0.1:0\n")
    assert main(["-c", str(ini), "-b", "127.0.0.1:0"]) == 1
    assert capsys.readouterr().err == (f"gproxy: [gproxy] run_dir = {tmp_path}/run: cannot be used: File exists\n")
