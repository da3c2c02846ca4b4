from typing import Any

import pytest

from gproxy.ctl.status_view import view

TIMES = {"p50": 1.25, "p95": 3.0, "p99": 250.4}
NO_TIMES = {"p50": None, "p95": None, "p99": None}


def rates(requests: float) -> dict[str, Any]:
    figures = {"requests": requests, "errors": 0.5, "failures": 0.0, "rejected": 0.0}
    return {"10s": figures, "1m": figures, "10m": figures}


def traffic(name: str, requests: float | None, **fields: Any) -> dict[str, Any]:
    lately = {"10s": TIMES, "start": TIMES} if requests is not None else {"start": NO_TIMES}
    return {
        "name": name,
        "requests": 0,
        "active": 1,
        "circuit": None,
        "rates": None if requests is None else rates(requests),
        "latency_ms": lately,
        **fields,
    }


def worker(slot: int, cpu_s: float) -> dict[str, Any]:
    return {
        "slot": slot,
        "pid": 100 + slot,
        "state": "accepting",
        "connections": 12_345,
        "active": 3,
        "rates": rates(1234.56),
        "latency_ms": {"10s": TIMES},
        "memory_bytes": 50 << 20,
        "cpu_s": cpu_s,
        "loop_lag_ms": 0.42,
    }


def told(apis: int = 2, servers: int = 2, asked_s: float = 10.0, cpu_s: float = 1.0) -> dict[str, Any]:
    event = {"kind": "reload", "object": "node", "name": "", "to": "", "cause": "done", "figures": {}, "time_ms": 0}
    return {
        "version": "1.2.3",
        "node": "host",
        "pid": 99,
        "ready": True,
        "not_ready_because": None,
        "revision": 41,
        "snapshot_age_s": 7300.0,
        "worker_restarts": 1,
        "reloads": 2,
        "sync": {"state": "following", "store_seen_age_s": 0.1},
        "totals": {"active": 6, "connections": 24_690},
        "figures": {"rates": rates(2469.1), "latency_ms": {"10s": TIMES}},
        "workers": [worker(0, cpu_s), worker(1, 5.0)],
        "apis": [traffic(f"api-{number}", float(number)) for number in range(apis)],
        "servers": [traffic(f"server-{number}", None, health="up") for number in range(servers)],
        "events": [event],
        "asked_s": asked_s,
    }


def test_everything_fits_eighty_columns() -> None:
    now = told()
    now["apis"].append(traffic("a-name-that-is-far-too-long-to-be-shown", 5e6, circuit="half_open", health="down"))
    shown = view(now, None, 80, 100)
    assert all(len(line) <= 80 for line in shown)
    (longest,) = [line for line in shown if line.startswith("a-name")]
    assert longest.endswith(" half_open down"), "nothing was cut off"
    assert shown[0] == "gproxy 1.2.3 on host, pid 99: ready"
    assert shown[1] == "revision 41, 2 h old, sync following, restarts 1, reloads 2"
    assert shown[2].startswith("2469 requests/s, 0.5 5xx/s, 6 active, 24690 connections, p50 1.2 p99 250 ms")


def test_the_busiest_come_first_and_quiet_ones_have_no_rate() -> None:
    shown = view(told(apis=3), None, 80, 100)
    names = [line.split()[0] for line in shown if line.startswith("api-")]
    assert names == ["api-2", "api-1", "api-0"]
    (server,) = [line for line in shown if line.startswith("server-0")]
    assert server.split()[1:] == ["-", "-", "-", "-", "1", "-", "-"], "that a server is up is not unusual"


def test_what_is_unusual_about_an_object_is_said() -> None:
    now = told()
    now["servers"] = [traffic("s", 1.0, circuit="open", health="down"), traffic("t", 1.0, circuit="closed")]
    shown = view(now, None, 80, 100)
    assert next(line for line in shown if line.startswith("s ")).endswith(" open down")
    assert next(line for line in shown if line.startswith("t ")).split()[-1] == "250"


@pytest.mark.parametrize("lines", [10, 24, 50])
def test_a_low_terminal_shows_the_busiest_of_both(lines: int) -> None:
    shown = view(told(apis=500, servers=500), None, 80, lines)
    assert len(shown) <= lines
    if lines >= 24:
        assert sum("more" in line for line in shown) == 2
        assert shown[-1].endswith("reload node: done")


def test_one_kind_takes_the_room_of_the_other() -> None:
    shown = view(told(apis=100, servers=1), None, 80, 40)
    assert len(shown) == 40
    assert sum(line.startswith("api-") for line in shown) > 15


def test_the_share_of_a_core_needs_two_looks() -> None:
    before, now = told(), told(asked_s=12.0, cpu_s=2.0)
    assert " - " in view(now, None, 80, 100)[5]
    assert " 50% " in view(now, before, 80, 100)[5]
    assert " 0% " in view(now, before, 80, 100)[6]


def test_troubles_of_the_node() -> None:
    now = told()
    now |= {"ready": False, "not_ready_because": "stopping", "events": [], "snapshot_age_s": None}
    now["sync"] = {"state": "store_lost", "store_seen_age_s": 90.0}
    shown = view(now, None, 80, 100)
    assert shown[0].endswith("NOT READY: stopping")
    assert shown[1].startswith("revision 41, never old, sync store_lost, store seen 90 s ago")
    assert shown[-1] == "none so far"
