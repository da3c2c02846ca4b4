import json
import subprocess
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.core import schema
from gproxy.entrances import entrances
from scripts.benchmark import certificate, configuration, packages
from scripts.benchmark.configuration import Setup

SERVERS = (9001, 9002)


def test_a_setup_without_apis_takes_every_path() -> None:
    assert Setup().prefixes == ["/"]
    assert Setup(apis=2).prefixes == ["/service-1/", "/service-2/"]


def test_equal_setups_are_equal_so_that_workloads_share_the_proxies() -> None:
    assert Setup(apis=10) == Setup(apis=10)
    assert Setup() != Setup(is_fresh=True)


@pytest.mark.skipif(packages.find("nginx") is None, reason="nginx is not installed")
@pytest.mark.parametrize("setup", [Setup(), Setup(apis=50), Setup(speaks_tls=True)])
def test_nginx_accepts_its_configuration(tmp_path: Path, setup: Setup) -> None:
    certificate.write(tmp_path / "certificates")
    for text in (
        configuration.nginx(tmp_path, 9000, SERVERS, setup),
        configuration.nginx_backend(tmp_path, SERVERS),
    ):
        path = tmp_path / "nginx.conf"
        path.write_text(text)
        command = [str(packages.find("nginx")), "-t", "-e", str(tmp_path / "error.log"), "-p", str(tmp_path)]
        done = subprocess.run([*command, "-c", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "warn" not in done.stderr


@pytest.mark.skipif(packages.find("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.parametrize("setup", [Setup(), Setup(apis=50), Setup(speaks_tls=True)])
def test_haproxy_accepts_its_configuration(tmp_path: Path, setup: Setup) -> None:
    certificate.write(tmp_path / "certificates")
    text, paths = configuration.haproxy(tmp_path, 9000, SERVERS, setup)
    (tmp_path / "haproxy.cfg").write_text(text)
    (tmp_path / "paths.map").write_text(paths)
    command = [str(packages.find("haproxy")), "-c", "-f", str(tmp_path / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.parametrize("speaks_tls", [False, True])
def test_gproxy_accepts_its_settings(tmp_path: Path, speaks_tls: bool) -> None:
    path = tmp_path / "gproxy.ini"
    path.write_text(configuration.gproxy_settings(tmp_path, 9000, Setup(speaks_tls=speaks_tls)))
    loaded = settings.load(path, {})
    assert loaded.gproxy.workers == 1
    assert loaded.log.access == "off"
    (way_in,) = entrances(loaded)
    assert (way_in.bind, way_in.speaks_tls) == ("127.0.0.1:9000", speaks_tls)


@pytest.mark.parametrize("setup", [Setup(apis=3), Setup(apis=3, is_protected=True), Setup(apis=3, rules="split")])
def test_gproxy_accepts_its_objects(setup: Setup) -> None:
    objects = json.loads(configuration.gproxy_objects(SERVERS, setup))
    by_name = {kind[:-1]: {one["name"]: one for one in many} for kind, many in objects.items()}
    checked = schema.check(by_name)
    assert checked.problems == []
    assert [api["path"] for api in objects["apis"]] == ["/service-1/*", "/service-2/*", "/service-3/*"]
