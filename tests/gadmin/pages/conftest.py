"""Pages of an admin that asks a node of the test's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gadmin.services import Services
from tests.gadmin.conftest import services_in
from tests.gadmin.fleet.nodes import FakeNode, fake_node


@pytest.fixture(scope="module")
def node() -> Iterator[FakeNode]:
    with fake_node("n1") as made:
        yield made


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, node: FakeNode) -> Iterator[Services]:
    made = services_in(tmp_path_factory.mktemp("admin"), fleet={"nodes": node.address})
    made.begin()
    yield made
    made.end()
