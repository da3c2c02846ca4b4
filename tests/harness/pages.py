"""What the documentation shows: an example that is applied, command lines, and what they print.

A section that takes part begins its first session with `gproxyctl apply -f conf/examples/...`, and may go on with other
examples; the sections below it on its page go on with what it applied, or begin anew. The commands are run in order
against one gateway, in front of the two services of the demonstration, and must print what is shown: `...` stands for
any lines, and dates, ids and ages may differ. Known commands: curl, gproxyctl, sleep. Blocks with a language are no
sessions.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.client import Address, RawClient

PROJECT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8")
    for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
}
_APPLY = ["gproxyctl", "apply", "-f"]
#: a heading, or a block of code; what looks like a heading in a block is none
_PART = re.compile(r"^#+ (?P<title>[^\n]+)$|^```(?P<language>\w*)\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)
#: what differs from one run to the next -> what stands for it
_VOLATILE = (
    (re.compile(r"^(Date|Expires|Last-Modified): .*", re.IGNORECASE), r"\1: -"),
    (re.compile(r"^(Age): \d+", re.IGNORECASE), r"\1: -"),
    (re.compile(r"^(X-Request-Id): .*", re.IGNORECASE), r"\1: -"),
    (re.compile(r'("request_id": )"[^"]*"'), r'\1"-"'),
    (re.compile(r"Python/[0-9.]+"), "Python/-"),
    (re.compile(r";ms=\d+"), ";ms=-"),
    (re.compile(r"ttl=\d+"), "ttl=-"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command line, as its words, and the lines below it."""

    command: list[str]
    shown: list[str] = field(default_factory=list)


def sections(text: str) -> dict[str, list[Step]]:
    """Return the steps of each section of a page that takes part, by its title.

    Those of "" come before anything is applied, so they do not take part.
    """
    found: dict[str, list[Step]] = {"": []}
    title, steps = "", found[""]
    for part in _PART.finditer(text):
        title = part["title"] or title
        session = list(_steps(part["block"])) if part["language"] == "" else []
        if session and session[0].command[:3] == _APPLY and "--dry-run" not in session[0].command:
            steps = found.setdefault(title, [])
        steps += session
    return found


def _steps(block: str) -> Iterator[Step]:
    step: Step | None = None
    for line in block.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            if step is not None:
                yield step
            words = shlex.split(line[2:])
            step = Step([words[0].removeprefix(".venv/bin/"), *words[1:]])
        elif step is not None and step.command[-1] == "\\":
            step = Step([*step.command[:-1], *shlex.split(line)])
        elif step is not None:
            step.shown.append(line)
    if step is not None:
        yield step


def example_of(step: Step) -> Path | None:
    """Return the configuration that a step applies, None when it does something else."""
    return PROJECT / step.command[3] if step.command[:3] == _APPLY else None


def is_shown(said: str, shown: Sequence[str]) -> bool:
    """Say whether a command printed what is shown, apart from what always differs."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(_still(line)) + r"\n" for line in shown)
    lines = [_still(line.rstrip("\r")) for line in said.rstrip().splitlines()]
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines)) is not None


def _still(line: str) -> str:
    for volatile, instead in _VOLATILE:
        line = volatile.sub(instead, line)
    return line.rstrip()


def curl(arguments: Sequence[str], address: Address) -> str:
    """Do what curl does with these arguments, but at `address`, and return what it prints."""
    parser = argparse.ArgumentParser("curl")
    parser.add_argument("url")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-I", "--head", action="store_true")
    parser.add_argument("-X", "--request", default="")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", default="")
    parser.add_argument("-b", "--cookie", default="")
    asked = parser.parse_args(arguments)
    url = urlsplit(asked.url)
    method = asked.request or ("HEAD" if asked.head else "POST" if asked.data else "GET")
    named = {line.partition(":")[0].lower() for line in asked.header}
    lines = [f"{method} {url.path or '/'}{'?' + url.query if url.query else ''} HTTP/1.1"]
    lines += [] if "host" in named else [f"Host: {url.netloc}"]
    lines += ["User-Agent: curl/8.0", "Accept: */*", *asked.header]
    lines += [f"Cookie: {asked.cookie}"] if asked.cookie else []
    body = asked.data.encode("utf-8")
    if body:
        lines += [] if "content-type" in named else ["Content-Type: application/x-www-form-urlencoded"]
        lines += [f"Content-Length: {len(body)}"]
    with RawClient(address) as client:
        client.send("\r\n".join([*lines, "", ""]).encode("utf-8") + body)
        answer = client.receive(method)
    if not asked.include and not asked.head:
        return answer.body.decode("utf-8")
    head = [answer.head.start, *(b"%b: %b" % pair for pair in answer.head.fields)]
    return "\n".join(line.decode("utf-8") for line in [*head, b""]) + "\n" + answer.body.decode("utf-8")
