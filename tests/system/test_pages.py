"""Sections of the documentation that apply an example: their commands print what is shown."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gproxy.ctl import files
from scripts.demo.backend import Handler
from scripts.demo.options import EXAMPLE_PORTS
from tests.harness.gateway import Gateway
from tests.harness.pages import PAGES, PROJECT, Step, curl, example_of, is_shown, sections
from tests.harness.waiting import eventually

FOUND = {page: sections(text) for page, text in PAGES.items()}
SECTIONS = {f"{page}: {title}": steps for page, found in FOUND.items() for title, steps in found.items() if title}
#: What is shown without being run: the tour of scripts/run, and what needs a running demonstration, etcd or a terminal.
NOT_RUN = {
    "README.md": {"curl", "for", "echo", "gproxyctl"},
    "docs/explain.md": {"gproxyctl"},
    "docs/fleet.md": {"etcdctl"},
    "docs/monitoring.md": {"gproxyctl"},
}


class Demo:
    """The two services of the demonstration, behind a gateway that is given one example after the other."""

    def __init__(self, folder: Path) -> None:
        self._servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), type("Named", (Handler,), {"server_name": f"demo-{number}"}))
            for number in (1, 2)
        ]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self._folder = folder
        self.gateway = Gateway(folder, None)

    def close(self) -> None:
        self.gateway.stop()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def apply(self, example: Path) -> None:
        """Make the gateway serve an example and nothing else, which finds the services where they really are."""
        text = example.read_text(encoding="utf-8")
        for port, server in zip(EXAMPLE_PORTS, self._servers, strict=True):
            text = re.sub(rf"\b127\.0\.0\.1:{port}\b", f"127.0.0.1:{server.server_port}", text)
        copy = self._folder / example.name
        copy.write_text(text, encoding="utf-8")
        self.gateway.apply(files.read(str(copy)))

    def run(self, step: Step) -> str:
        program, *arguments = step.command
        if program == "curl":
            return curl(arguments, self.gateway.address)
        if program == "sleep":
            time.sleep(float(arguments[0]))
            return ""
        assert program == "gproxyctl", step.command
        return self.gateway.ctl(*arguments)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("pages"))
    yield demo
    demo.close()


@pytest.mark.parametrize("title", SECTIONS)
def test_the_section_shows_what_happens(title: str, demo: Demo) -> None:
    for step in SECTIONS[title]:
        example = example_of(step)
        if example is not None:
            demo.apply(example)
            continue
        said = demo.run(step)
        assert is_shown(said, step.shown), f"{step.command} says\n{said}"


def test_every_example_is_shown() -> None:
    """That of the demonstration is what scripts/run serves."""
    shown = {example_of(step) for steps in SECTIONS.values() for step in steps}
    assert set((PROJECT / "conf" / "examples").iterdir()) - shown == {PROJECT / "conf" / "examples" / "demo.yaml"}


def test_nothing_else_is_shown_without_being_run() -> None:
    programs = {page: {step.command[0] for step in found[""]} for page, found in FOUND.items() if found[""]}
    assert programs == NOT_RUN


def test_sections_go_on_with_what_was_applied() -> None:
    first, other = "gproxyctl apply -f conf/examples/a.yaml", "gproxyctl apply -f conf/examples/b.yaml"
    shown = [
        f"## {title}\n```{block}```\n"
        for title, block in {
            "Before": "\n$ sleep 1\n",
            "First": f"\n$ {first}\n# no heading\n$ sleep 2\n",
            "Below it": "\n$ sleep 3\n",
            "Settings": "yaml\n$ sleep 4\n",
            "Other": f"\n$ {other}\n",
        }.items()
    ]
    found = sections("\n".join(shown))
    commands = {title: [" ".join(step.command) for step in steps] for title, steps in found.items()}
    assert commands == {"": ["sleep 1"], "First": [first, "sleep 2", "sleep 3"], "Other": [other]}


def test_what_is_not_shown_is_noticed() -> None:
    said = "HTTP/1.1 200 OK\nDate: Mon\nX-A: 1\n\nhello\n"
    assert is_shown(said, ["HTTP/1.1 200 OK", "Date: Tue", "...", "", "hello"])
    assert not is_shown(said, ["HTTP/1.1 200 OK", "", "hello"])
    assert not is_shown(said, ["HTTP/1.1 200 OK", "...", "", "hallo"])
    assert not is_shown(said, [])


def test_what_mirrors_answer_is_compared(demo: Demo) -> None:
    demo.apply(PROJECT / "conf" / "examples" / "mirrors.yaml")

    def mirror(compared: int = 0) -> Any:
        (told,) = demo.gateway.control_get("/mirrors")["mirrors"] or [None]
        return told if told is not None and told["compared"] >= compared else None

    before = eventually(mirror, about="the monitor knows the mirror")["compared"]
    for request in (["http://a/users/1"], ["http://a/users/1"], ["-d", "{}", "http://a/orders"]):
        curl(request, demo.gateway.address)
    now = eventually(lambda: mirror(before + 2), about="two copies are compared")
    assert (now["copies"], now["dropped"], now["compared"], now["differed"]) == (before + 2, 0, before + 2, before + 2)
    assert [sample["target"] for sample in now["samples"][:2]] == ["/users/1", "/users/1"]
    difference = {"place": "header x-served-by", "primary": "demo-1", "mirror": "demo-2"}
    assert now["samples"][0]["differences"] == [difference]


def test_clusters_alone_take_their_paths(demo: Demo) -> None:
    demo.apply(PROJECT / "conf" / "examples" / "clusters.yaml")
    for path, name in (("/users/1", "demo-1"), ("/orders/7", "demo-2")):
        assert f"X-Served-By: {name}" in curl(["-i", f"http://a{path}"], demo.gateway.address)
    # Figures of the example before stay until the monitor has read this one.
    wanted = {"cluster/users", "cluster/rest"}
    eventually(lambda: {api["name"] for api in demo.gateway.stats()["apis"]} == wanted, about="its figures are those")
