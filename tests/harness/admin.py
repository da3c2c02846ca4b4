"""A running gadmin, as a process or within the test, and what talks to it as a browser or a program would."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness.waiting import eventually

_PROJECT = Path(__file__).parents[2]
_START_S = 30.0
_PASSWORD = re.compile(r"the first user is admin, the password is (\S+)")
_READY = re.compile(r"ready address=(https?)://(?:127\.0\.0\.1|\[::1\]):(\d+)")


class Admin:
    """The program `gadmin` on the store at `store`, with its first user's password. Use it as a context manager."""

    def __init__(self, folder: Path, store: str, settings: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self.folder = folder
        self.log_file = folder / "gadmin.log"
        sections: dict[str, dict[str, object]] = {"gadmin": {"bind": "127.0.0.1:0"}, "store": {"url": store}}
        for section, values in (settings or {}).items():
            sections.setdefault(section, {}).update(values)
        self.ini = folder / "gadmin.ini"
        self.ini.write_text(
            "\n".join(
                line
                for section, values in sections.items()
                for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()))
            )
        )
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gadmin", "-c", str(self.ini)],
                cwd=_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(self._is_ready, _START_S, "gadmin is ready")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        ready = _READY.findall(self.log())[-1]
        self.scheme, self.port = ready[0], int(ready[1])
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        found = _PASSWORD.search(self.log())
        self.password = found[1] if found else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def log(self) -> str:
        """Return what it has written so far."""
        return self.log_file.read_text()

    def stop(self) -> None:
        """Stop it and check that nothing went wrong unseen."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"gadmin did not end:\n{self.log()}") from None
        assert code == 0, self.log()
        assert "Traceback" not in self.log(), self.log()

    def call(
        self, method: str, path: str, body: Any = None, token: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Ask the REST interface as a program with a token does; return (status, JSON)."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body), "application/json"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, f"/api/v1{path}", data, {**sent, **(headers or {})})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"gadmin ended at once:\n{self.log()}"
        return _READY.search(self.log()) is not None
