"""Fetches key sets from their URLs, once for all workers of the node, into files that they read.

A set is fetched when its configuration comes, then every `refresh_s`, and when a worker meets a token that is signed
with a key it does not know. What cannot be fetched, or is no key set, leaves the file as it is: keys are good until
there are others, whatever becomes of their server.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

import gevent
from gevent.hub import get_hub
from geventhttpclient import HTTPClient

from gproxy.core.jwt_keys import BadKey
from gproxy.core.key_source import KeySource, fetched_name
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.worker.key_files import FOLDER

log = logging.getLogger(__name__)

#: How often the wishes of workers are looked at, and the shortest time between two tries at one URL, in seconds.
LOOK_EVERY_S: Final = 0.1
LEAST_PAUSE_S: Final = 5.0
#: For a whole fetch.
_FETCH_S: Final = 5.0
_MOST_BYTES: Final = 1 << 20


class FetchFailed(Exception):
    """There is no key set to be had; the text says why."""


@dataclass(slots=True)
class _Watched:
    """One URL: which of its sources fetches it, when it is due (monotonic seconds), and what was wrong last time."""

    source: KeySource
    due: float
    tried: float = float("-inf")
    problem: str = ""
    is_busy: bool = False


class KeyFetcher:
    """Keeps the files of all URLs of the configuration in use; `run_dir` is where they are."""

    def __init__(self, table: Table, run_dir: Path) -> None:
        self._table = table
        self._folder = run_dir / FOLDER
        self._watched: dict[str, _Watched] = {}
        self._wishes = 0

    def follow(self, lines: Sequence[bytes]) -> None:
        """Take the lines of a new snapshot."""
        wanted = get_hub().threadpool.apply(sources, (lines,))
        self._watched = {
            url: self._known(url, source) or _Watched(source, self._due_at_first(source))
            for url, source in wanted.items()
        }

    def _known(self, url: str, source: KeySource) -> _Watched | None:
        known = self._watched.get(url)
        if known is not None:
            known.source = source
        return known

    def _due_at_first(self, source: KeySource) -> float:
        """Return when a URL is due that was not watched before: its file may be there from an earlier time."""
        try:
            age_s = time() - (self._folder / fetched_name(source.url)).stat().st_mtime
        except OSError:
            return 0.0
        return monotonic() + max(0.0, source.refresh_s - max(0.0, age_s))

    def run_for_ever(self) -> None:
        """Fetch what is due; never returns."""
        while True:
            self.look()
            gevent.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Begin to fetch what is due by now, or what workers want."""
        wishes = self._table.total(layout.KEYS_WANTED)
        is_wanted, self._wishes = wishes != self._wishes, wishes
        now = monotonic()
        for watched in self._watched.values():
            may_try = not watched.is_busy and now - watched.tried >= LEAST_PAUSE_S
            if may_try and (is_wanted or now >= watched.due):
                watched.tried, watched.is_busy = now, True
                gevent.spawn(self._fetch, watched)

    def _fetch(self, watched: _Watched) -> None:
        source, problem = watched.source, ""
        try:
            text = fetched(source.url)
            source.read(text)
            self._keep(source.url, text)
        except (FetchFailed, BadKey, OSError) as error:
            problem = str(error)
        finally:
            watched.is_busy = False
        watched.due = monotonic() + (LEAST_PAUSE_S if problem else source.refresh_s)
        if problem and not watched.problem:
            log.warning("keys cannot be fetched", extra={"url": source.url, "reason": problem})
        elif watched.problem and not problem:
            log.info("keys can be fetched again", extra={"url": source.url})
        watched.problem = problem

    def _keep(self, url: str, text: bytes) -> None:
        """Replace the file in one step, so that it is as new as what it holds; raises OSError."""
        self._folder.mkdir(mode=0o750, exist_ok=True)
        fresh = self._folder / f"{fetched_name(url)}.new"
        fresh.write_bytes(text)
        os.replace(fresh, self._folder / fetched_name(url))


def sources(lines: Iterable[bytes]) -> dict[str, KeySource]:
    """Return the sources of a snapshot's lines that are URLs: of several for one URL that of the shortest refresh."""
    found: dict[str, KeySource] = {}
    for line in lines:
        if not line.startswith(b'["api"') or b'"jwks_url":"' not in line:
            continue
        jwt = (json.loads(line)[1]["auth"] or {}).get("jwt") or {}
        if jwt.get("jwks_url"):  # the words may stand elsewhere in a document
            source = KeySource.compile(jwt)
            if source.url not in found or source.refresh_s < found[source.url].refresh_s:
                found[source.url] = source
    return found


def fetched(url: str) -> bytes:
    """Return the body of the answer at a URL; raises FetchFailed, within five seconds."""
    client: Any = HTTPClient.from_url(url, connection_timeout=_FETCH_S, network_timeout=_FETCH_S)
    try:
        with gevent.Timeout(_FETCH_S, FetchFailed("it took too long")):
            response = client.get(client_path(url), headers={"Accept": "application/json"})
            body = bytes(response.read(_MOST_BYTES))
            status = int(response.status_code)
    except FetchFailed:
        raise
    except Exception as error:  # whatever the library has for what servers do
        raise FetchFailed(str(error) or type(error).__name__) from None
    finally:
        client.close()
    if status != 200:
        raise FetchFailed(f"the answer has status {status}")
    return body


def client_path(url: str) -> str:
    """Return what a URL asks its host for."""
    rest = url.partition("://")[2]
    at = min((found for found in (rest.find("/"), rest.find("?")) if found >= 0), default=len(rest))
    path = rest[at:].partition("#")[0]
    return path if path.startswith("/") else f"/{path}"
