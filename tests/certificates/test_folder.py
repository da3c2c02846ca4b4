import os
from pathlib import Path

import pytest

from gproxy.certificates import folder


def fill(where: Path, *names: str) -> None:
    for name in names:
        path = where / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)


def found(where: Path) -> dict[str, tuple[str, str]]:
    return {
        files.name: (str(files.chain.relative_to(where)), str(files.key.relative_to(where)))
        for files in folder.look(where)
    }


def test_what_makes_a_pair(tmp_path: Path) -> None:
    fill(
        tmp_path, "b.test.crt", "b.test.key", "a.test.pem", "a.test.key", "both.pem", "old.crt~", ".hidden.crt", "x.key"
    )
    fill(tmp_path, "certbot.test/fullchain.pem", "certbot.test/privkey.pem", "kube/tls.crt", "kube/tls.key", "no/a.txt")
    assert found(tmp_path) == {
        "a.test": ("a.test.pem", "a.test.key"),
        "b.test": ("b.test.crt", "b.test.key"),
        "both": ("both.pem", "both.pem"),
        "certbot.test": ("certbot.test/fullchain.pem", "certbot.test/privkey.pem"),
        "kube": ("kube/tls.crt", "kube/tls.key"),
    }


def test_one_name_is_one_pair(tmp_path: Path) -> None:
    fill(tmp_path, "a.crt", "a.pem", "a.key")
    assert found(tmp_path) == {"a": ("a.crt", "a.key")}


def test_texts(tmp_path: Path) -> None:
    fill(tmp_path, "a.crt", "a.key", "both.pem")
    assert [files.read() for files in folder.look(tmp_path)] == [(b"a.crt", b"a.key"), (b"both.pem", b"both.pem")]


@pytest.mark.parametrize("changed", ["a.crt", "a.key"])
def test_a_stamp_changes_with_each_file(tmp_path: Path, changed: str) -> None:
    fill(tmp_path, "a.crt", "a.key")
    (before,) = folder.look(tmp_path)
    assert list(folder.look(tmp_path)) == [before]
    new = tmp_path / "new"
    new.write_text(changed)
    os.replace(new, tmp_path / changed)
    (after,) = folder.look(tmp_path)
    assert after.stamp != before.stamp


def test_a_link_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, "live/fullchain.pem", "live/privkey.pem", "1.pem", "2.pem")
    os.remove(tmp_path / "live" / "fullchain.pem")
    os.symlink("../1.pem", tmp_path / "live" / "fullchain.pem")
    before = {files.name: files.stamp for files in folder.look(tmp_path)}
    os.remove(tmp_path / "live" / "fullchain.pem")
    os.symlink("../2.pem", tmp_path / "live" / "fullchain.pem")
    assert {files.name: files.stamp for files in folder.look(tmp_path)}["live"] != before["live"]


def test_a_file_that_is_not_there_has_a_stamp(tmp_path: Path) -> None:
    missing = folder.stamp(tmp_path / "a")
    fill(tmp_path, "a")
    assert folder.stamp(tmp_path / "a") != missing


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(folder.look(tmp_path / "none"))
