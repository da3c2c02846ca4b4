"""Who gets a request: policies, sticky cookies, slow start and backups, as one worker decides it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gproxy.shared import layout
from gproxy.shared.health import HealthCells, Verdict
from gproxy.shared.table import now_ms
from gproxy.worker import choose
from tests.worker.peer import Backend, answers, eventually, response
from tests.worker.stage import Stage

NAMES = ("a", "b", "c")
Fields = dict[str, dict[str, Any]]


class Site:
    """Three servers that say who they are, in one cluster."""

    def __init__(self, stage: Stage, addresses: dict[str, str]) -> None:
        self.stage = stage
        self.addresses = addresses

    def use(self, cluster: dict[str, Any], names: tuple[str, ...] = NAMES, fields: Fields | None = None) -> None:
        """Serve from these servers; `fields` are further ones of their documents, by name."""
        more = fields or {}
        documents = [{"name": name, "address": self.addresses[name], **more.get(name, {})} for name in names]
        api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
        self.stage.use(documents, [{"name": "c", "servers": list(names), **cluster}], [api])

    def ask(self, target: str = "/", *fields: str) -> tuple[str, bytes]:
        """Send one request; return who answered, and the head."""
        lines = "".join(field + "\r\n" for field in fields)
        with self.stage.connect() as client:
            client.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
            head, body = client.message()
        return body.decode() if head[9:12] == b"200" else head[9:12].decode(), head

    def who(self, times: int, target: str = "/", *fields: str) -> Counter[str]:
        """Return how often each server answered."""
        return Counter(self.ask(target, *fields)[0] for _ in range(times))

    def say(self, name: str, state: int) -> None:
        """Tell the worker what the monitor found of a server."""
        snapshot = self.stage.runtime.snapshot
        assert snapshot is not None
        (server,) = (member for member in snapshot.clusters["c"].members if member.name == name)
        HealthCells(self.stage.table).write(server.row, Verdict(server.identity, state, 1, 0, now_ms() + 60_000))
        health = self.stage.runtime.health

        def has_heard() -> bool:
            health.look(snapshot)
            return health.is_down(server) == (state == layout.HEALTH_DOWN)

        eventually(has_heard)


@pytest.fixture
def site(stage: Stage) -> Iterator[Site]:
    stage.table.cells[layout.ROWS_USED] = 8
    with ExitStack() as stack:
        backends = {name: stack.enter_context(Backend(answers(response(name.encode())))) for name in NAMES}
        yield Site(stage, {name: backend.address for name, backend in backends.items()})


@pytest.mark.parametrize("policy", ["random", "least_conn"])
def test_policies_use_all_servers(site: Site, policy: str) -> None:
    site.use({"load_balance": policy})
    assert min(site.who(60)[name] for name in NAMES) >= 3


def test_least_conn_counts_what_all_workers_have_in_flight(site: Site) -> None:
    site.use({"load_balance": "least_conn"})
    table = site.stage.table
    table.claim(1)
    for row in (0, 2):  # what another worker has at a and c
        table.cells[table.row_base(1, row) + layout.ROW_ACTIVE] = 5
    assert site.who(10) == {"b": 10}


def test_p2c_shuns_a_slow_server_and_its_average_outlives_configurations(site: Site) -> None:
    site.use({"load_balance": "p2c"}, ("a", "b"))
    for row, time_us in enumerate((10_000_000, 1000)):
        base = site.stage.table.row_base(0, row)
        site.stage.table.cells[base + layout.ROW_EWMA_US] = time_us
        site.stage.table.cells[base + layout.ROW_EWMA_MS] = now_ms()
    assert site.who(20) == {"b": 20}
    site.use({"load_balance": "p2c"}, ("a", "b"), {"b": {"weight": 2}})
    assert site.who(20) == {"b": 20}


def test_a_failure_makes_a_server_slow(site: Site, stage: Stage) -> None:
    servers = [{"name": "a", "address": "127.0.0.1:1"}, {"name": "b", "address": site.addresses["b"]}]
    api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
    stage.use(servers, [{"name": "c", "servers": ["a", "b"], "load_balance": "p2c"}], [api])
    while site.ask("/")[0] != "b":  # a server whose time is not known counts as fast as the other one
        pass
    assert site.who(20)["502"] <= 1


def test_equal_keys_go_to_one_server_and_a_missing_key_goes_by_the_client(site: Site) -> None:
    site.use({"load_balance": "consistent_hash", "hash_on": "header:X-User"})
    owners = {user: site.ask("/", f"X-User: {user}")[0] for user in map(str, range(30))}
    assert set(owners.values()) == set(NAMES)
    assert {user: site.ask("/", f"X-User: {user}")[0] for user in owners} == owners
    assert len(site.who(5)) == 1
    site.use({"load_balance": "consistent_hash", "hash_on": "header:X-User"}, ("a", "b"))
    left = {user: site.ask("/", f"X-User: {user}")[0] for user in owners}
    assert {user for user in owners if left[user] != owners[user]} == {u for u, name in owners.items() if name == "c"}


def cookie_of(head: bytes) -> str:
    (line,) = (line for line in head.split(b"\r\n") if line.startswith(b"Set-Cookie: "))
    text = line.decode()
    assert text.endswith("; Path=/; HttpOnly; SameSite=Lax")
    return text.removeprefix("Set-Cookie: ").partition(";")[0]


def test_a_sticky_client_stays_even_while_its_server_drains_but_not_when_it_is_dead(site: Site) -> None:
    site.use({"sticky_cookie": "srv"})
    first, head = site.ask()
    cookie = f"Cookie: theme=dark; {cookie_of(head)}"
    again, head = site.ask("/", cookie)
    assert (again, b"Set-Cookie" in head) == (first, False)
    assert site.who(5, "/", cookie) == {first: 5}
    assert len(site.who(6)) == 3, "others take turns"

    site.use({"sticky_cookie": "srv"}, fields={first: {"status": "drain"}})
    assert site.who(5, "/", cookie) == {first: 5}
    assert first not in site.who(6)

    site.say(first, layout.HEALTH_DOWN)
    other, head = site.ask("/", cookie)
    assert other != first
    assert cookie_of(head) != cookie_of(b"Set-Cookie: " + cookie.encode() + b"; Path=/; HttpOnly; SameSite=Lax")

    site.use({"sticky_cookie": "srv"}, fields={first: {"status": "down"}})
    site.say(first, layout.HEALTH_UP)
    assert first not in site.who(5, "/", cookie)


def test_a_server_that_comes_back_starts_slowly_but_not_with_the_process(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(choose, "monotonic", lambda: now)
    monkeypatch.setattr(choose, "random", lambda: 0.5)
    slowly: Fields = {name: {"slow_start_s": 100} for name in NAMES}
    site.use({}, fields=slowly)
    assert site.who(6) == {"a": 2, "b": 2, "c": 2}
    site.say("b", layout.HEALTH_DOWN)
    assert site.who(6) == {"a": 3, "c": 3}
    site.say("b", layout.HEALTH_UP)
    assert site.who(6)["b"] == 0, "at a tenth of its weight, and the chance is a half"
    now += 60
    assert site.who(6)["b"] == 2
    site.use({}, ("a", "b"), slowly)
    assert site.who(4) == {"a": 2, "b": 2}
    site.use({}, fields=slowly)
    assert site.who(6)["c"] == 0, "a new one starts slowly as well"


def test_backups_work_only_when_nobody_else_does(site: Site) -> None:
    backup: Fields = {"c": {"backup": True, "slow_start_s": 1}}
    site.use({"load_balance": "random"}, fields=backup)
    assert "c" not in site.who(10)
    for name in ("a", "b"):
        site.say(name, layout.HEALTH_DOWN)
    assert site.who(3) == {"c": 3}
    site.say("c", layout.HEALTH_DOWN)
    assert site.who(1) == {"503": 1}


def test_turns_go_on_over_configurations(site: Site) -> None:
    site.use({}, fields={"a": {"slow_start_s": 1}})
    first = [site.ask()[0] for _ in range(4)]
    site.use({}, fields={"a": {"slow_start_s": 2}})
    assert [site.ask()[0] for _ in range(2)] == first[1:3]
