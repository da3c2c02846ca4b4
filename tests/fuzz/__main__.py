"""scripts/fuzz: fuzz one target after the other, each for a while, led by coverage and beginning with its corpus."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target, keep, kept
from tests.harness.golden import read_answers, read_requests

_MESSAGES = Path(__file__).parents[1]
#: New inputs that are kept of one run, the shortest ones: they are replayed by every run of the tests.
_MOST_KEPT = 40


def main(arguments: list[str]) -> int:
    """Return 1 when something was found, 0 when nothing was."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all if none is named: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="how long each is fuzzed (60)")
    parser.add_argument(
        "--keep", action="store_true", help="put the shortest of what takes new ways through the code into the corpus"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    found = [fuzz(TARGETS[name], options.seconds, options.keep) for name in options.targets or TARGETS]
    return int(any(found))


def fuzz(target: Target, seconds: int, keeps: bool) -> bool:
    """Fuzz for so long and say what came of it; True when a law was broken."""
    print(f"{target.name}: {seconds} s ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="gproxy-fuzz-") as name:
        folder = Path(name)
        begin, grown, words = folder / "begin", folder / "grown", folder / "words"
        _fill(begin, {*kept(target), *messages(target)})
        grown.mkdir()
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        limits = [f"-max_total_time={seconds}", f"-max_len={target.most_bytes}", "-timeout=10", "-rss_limit_mb=2000"]
        done = _libfuzzer(
            target, *limits, f"-dict={words}", f"-artifact_prefix={folder}/found-", str(grown), str(begin)
        )
        print(next((line for line in reversed(done.splitlines()) if line.startswith("Done ")), done[-6000:]))
        broken = [path.read_bytes() for path in folder.glob("found-*")]
        for data in broken:
            print(f"FOUND, for its corpus: {_escaped(data)}")
        if keeps and not broken:
            found = sorted((path.read_bytes() for path in grown.iterdir()), key=len)
            keep(target, {*kept(target), *found[:_MOST_KEPT]})
    return bool(broken)


def messages(target: Target) -> list[bytes]:
    """Return the golden messages that are inputs of this target, too; not those that are too long for it."""
    requests = [one.raw for kind in ("valid", "invalid") for one in read_requests(_MESSAGES / "requests" / kind)]
    answers = [one.raw for one in read_answers(_MESSAGES / "responses")]
    bodies = [b"\0" + raw.partition(b"\r\n\r\n")[2] for raw in (*requests, *answers) if b"chunked" in raw.lower()]
    all_of = {
        "request_heads": requests,
        "connections": requests,
        "response_heads": answers,
        "chunked_bodies": bodies,
    }
    return [data for data in all_of.get(target.name, ()) if len(data) <= target.most_bytes]


def _libfuzzer(target: Target, *arguments: str) -> str:
    command = [sys.executable, "-m", "tests.fuzz.one", target.name, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True).stdout


def _fill(folder: Path, inputs: set[bytes]) -> None:
    folder.mkdir()
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def _escaped(data: bytes) -> str:
    r"""Write bytes as libFuzzer's dictionaries have them, and the corpus reads them: \xNN."""
    plain = range(32, 127)
    return "".join(chr(byte) if byte in plain and chr(byte) not in '"\\' else f"\\x{byte:02x}" for byte in data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
