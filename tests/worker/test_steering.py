from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gproxy.shared import layout
from gproxy.worker.steering import Steering
from tests.worker.peer import Backend, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n%b\r\n"
NAMES = ("one", "two", "three")
SERVERS = len(NAMES)


@pytest.fixture
def backends() -> Iterator[list[str]]:
    """The addresses of servers that answer with their names."""
    with ExitStack() as opened:
        yield [opened.enter_context(Backend(answers(response(name.encode())))).address for name in NAMES]


class Steered:
    """A worker whose API leads to `one` unless a rule says otherwise."""

    def __init__(self, stage: Stage, addresses: list[str]) -> None:
        self.stage = stage
        self._servers = [{"name": name, "address": at} for name, at in zip(NAMES, addresses, strict=True)]
        self.clusters: dict[str, dict[str, Any]] = {name: {"name": name, "servers": [name]} for name in NAMES}
        self.api: dict[str, Any] = {"name": "all", "path": "/*", "nodes": [{"cluster": "one"}]}

    def use(self, *rules: dict[str, Any]) -> None:
        """Serve with these rules from now on; their rows follow those of the servers."""
        named = [{"name": f"r{number}", **rule} for number, rule in enumerate(rules)]
        self.stage.use(self._servers, list(self.clusters.values()), [self.api], named)

    def ask(self, target: bytes = b"", fields: bytes = b"") -> str:
        client = self.stage.connect()
        client.send(GET % (target, fields))
        return client.message()[1].decode()

    def row(self, rule: int, cell: int) -> int:
        """Return a figure of a rule, by its number."""
        row = SERVERS + len(self.clusters) + rule
        return self.stage.table.row_total(row, cell)


@pytest.fixture
def steered(stage: Stage, backends: list[str]) -> Steered:
    return Steered(stage, backends)


def test_without_rules_a_node_stays_plain(steered: Steered) -> None:
    steered.use({"api": "all", "cluster": "two", "status": "down"})
    snapshot = steered.stage.runtime.snapshot
    assert snapshot is not None
    found = snapshot.router.find(b"a", b"GET", b"/")
    assert found is not None
    assert found.target.nodes[0].is_plain
    assert steered.ask() == "one"


def test_the_first_rule_that_applies_decides(steered: Steered) -> None:
    steered.use(
        {"when": {"all": ["$query_v == 2"]}, "cluster": "two"},
        {"when": {"all": ["$query_v exists"]}, "cluster": "three"},
        {"when": {"all": ["$header_x_team == red"]}, "cluster": "three", "priority": 9},
    )
    asked = [steered.ask(target) for target in (b"", b"?v=2", b"?v=3")]
    assert asked == ["one", "two", "three"]
    assert steered.ask(b"?v=2", b"X-Team: red\r\n") == "three"


def test_every_mirror_copies_whatever_splits_decide(steered: Steered) -> None:
    steered.use(
        {"action": "mirror", "cluster": "three"},
        {"cluster": "two"},
        {"cluster": "three"},
        {"action": "mirror", "cluster": "one"},
        {"action": "mirror", "cluster": "one", "when": {"all": ["$query_v exists"]}},
    )
    snapshot = steered.stage.runtime.snapshot
    assert snapshot is not None
    found = snapshot.router.find(b"a", b"GET", b"/")
    assert found is not None
    way, copied = Steering().ways(steered.stage.exchange(), found.target.nodes[0])
    assert way is not None
    assert (way.rule.name, [each.rule.name for each in copied]) == ("r1", ["r0", "r3"])


def test_a_rule_for_another_api_does_nothing(steered: Steered) -> None:
    steered.use({"api": "other", "cluster": "two"})
    assert steered.ask() == "one"


@pytest.mark.parametrize("percent", [0, 10, 50, 100])
def test_a_share_is_exact(steered: Steered, percent: float) -> None:
    steered.use({"cluster": "two", "percent": percent})
    found = Counter(steered.ask() for _ in range(100))
    assert found["two"] == percent
    assert found["one"] == 100 - percent


def test_a_share_with_a_key_keeps_its_members(steered: Steered) -> None:
    def members() -> set[int]:
        return {key for key in range(60) if steered.ask(b"", b"Cookie: id=%d\r\n" % key) == "two"}

    found = []
    for percent in (20, 50, 50):
        steered.use({"cluster": "two", "percent": percent, "sticky": "cookie:id"})
        found.append(members())
    assert found[0] < found[1] == found[2]


def test_a_rule_ends_without_a_new_configuration(steered: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("gproxy.worker.steering.time", lambda: now_s[0])
    steered.use({"cluster": "two", "expires_at": "1970-01-01T00:20:00Z"})
    assert steered.ask() == "two"
    now_s[0] = 1200.0
    assert steered.ask() == "one"


def test_a_rule_tells_what_became_of_its_requests(steered: Steered) -> None:
    steered.clusters["none"] = {"name": "none"}
    steered.use(
        {"when": {"all": ["$query_v == 2"]}, "cluster": "two"},
        {"when": {"all": ["$query_v == none"]}, "cluster": "none"},
    )
    for target in (b"", b"?v=2", b"?v=2", b"?v=none"):
        steered.ask(target)
    eventually(steered.stage.is_quiet)
    assert [steered.row(0, cell) for cell in (layout.ROW_STATUS_2XX, layout.ROW_STATUS_5XX)] == [2, 0]
    assert [steered.row(1, cell) for cell in (layout.ROW_STATUS_2XX, layout.ROW_STATUS_5XX)] == [0, 1]
    assert [steered.row(rule, layout.ROW_ACTIVE) for rule in (0, 1)] == [0, 0]


def test_retries_and_other_policies_work_where_a_rule_leads(steered: Steered) -> None:
    steered.clusters["two"] |= {"load_balance": "random", "retry": {"report": True}}
    steered.use({"cluster": "two"})
    client = steered.stage.connect()
    client.send(GET % (b"", b""))
    head, body = client.message()
    assert body == b"two"
    assert b"X-Gateway-Attempts: 1\r\n" in head


def test_decks_are_not_remembered_for_ever(steered: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.worker.steering._MOST_DECKS", 2)
    exchange, steering = steered.stage.exchange(), Steering()
    for number in range(5):
        steered.use({"name": f"x{number}", "cluster": "two", "percent": 50})
        snapshot = steered.stage.runtime.snapshot
        assert snapshot is not None
        found = snapshot.router.find(b"a", b"GET", b"/")
        assert found is not None
        steering.ways(exchange, found.target.nodes[0])
    assert 0 < len(steering._decks) <= 2
