"""The site that most system tests share: starting a gateway costs a second, so it is started once per process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import Site, documents


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with EchoBackend() as echo, ScriptedBackend() as script:
        addresses = {"echo": echo.address, "script": script.address}
        with Gateway(folder, documents(addresses)) as gateway:
            yield Site(gateway, echo, script)


@pytest.fixture
def gateway(site: Site) -> Gateway:
    return site.gateway


@pytest.fixture
def echo(site: Site) -> Iterator[EchoBackend]:
    site.echo.clear()
    yield site.echo
    assert site.echo.violations == []


@pytest.fixture
def script(site: Site) -> Iterator[ScriptedBackend]:
    site.script.forget()
    yield site.script
    assert site.script.violations == []
