"""How a node looks in a terminal: what /stats and /events say, as lines of text that fit the width."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gproxy.core.event_names import sentence

Document = Mapping[str, Any]

#: Rates and times are those of this window.
_WINDOW: Final = "10s"
_MOST_EVENTS: Final = 8
#: A name is cut to what the columns leave of 80.
_LEAST_NAME: Final = 15
_NO_RATES: Final[Document] = {}


def view(now: Document, before: Document | None, columns: int, lines: int) -> list[str]:
    """Return the screen: `now` is /stats with `events` and `asked_s`, `before` the same of the last time.

    Sections give way to each other when there are too few lines; the busiest objects come first.
    """
    workers = _workers(now, before)
    events = [_event(event) for event in now["events"][-_MOST_EVENTS:]]
    top = [*_node(now), "", *workers, ""]
    bottom = ["", "EVENTS", *(events or ["none so far"])]
    room = max(6, lines - len(top) - len(bottom))
    apis = _objects("API", now["apis"], columns)
    servers = _objects("SERVER", now["servers"], columns)
    # Half for each, but what one does not need is the other's.
    for_apis = min(len(apis), max((room - 1) // 2, room - 1 - len(servers)))
    shown = [*top, *_cut(apis, for_apis), "", *_cut(servers, room - 1 - for_apis), *bottom]
    return [line[:columns] for line in shown][: max(lines, 1)]


def _node(now: Document) -> list[str]:
    totals, sync = now["totals"], now["sync"]
    state = "ready" if now["ready"] else f"NOT READY: {now['not_ready_because']}"
    age = _age(now["snapshot_age_s"])
    seen = "" if sync["state"] == "following" else f", store seen {_age(sync['store_seen_age_s'])} ago"
    figures = now["figures"]
    rates, times = figures["rates"][_WINDOW], figures["latency_ms"][_WINDOW]
    running = f"revision {now['revision']}, {age} old, sync {sync['state']}{seen}"
    load = f"{_number(rates['requests'])} requests/s, {_number(rates['errors'])} 5xx/s"
    open_now = f"{totals['active']} active, {totals['connections']} connections"
    return [
        f"gproxy {now['version']} on {now['node']}, pid {now['pid']}: {state}",
        f"{running}, restarts {now['worker_restarts']}, reloads {now['reloads']}",
        f"{load}, {open_now}, p50 {_ms(times['p50'])} p99 {_ms(times['p99'])} ms",
    ]


def _workers(now: Document, before: Document | None) -> list[str]:
    titles = (("PID", 8), ("STATE", 11), ("CONN", 6), ("ACTIVE", 7), ("REQ/S", 8), ("P50", 7), ("P99", 7))
    shown = ["WORKER " + "".join(f"{title:>{wide}}" for title, wide in (*titles, ("CPU", 6), ("MB", 6), ("LAG", 7)))]
    for worker in now["workers"]:
        rates = (worker["rates"] or _NO_RATES).get(_WINDOW, _NO_RATES)
        times = worker["latency_ms"].get(_WINDOW, _NO_RATES)
        memory = worker["memory_bytes"]
        shown.append(
            f"{worker['slot']:<7}{worker['pid']:>8}{worker['state']:>11}{worker['connections']:>6}{worker['active']:>7}"
            f"{_number(rates.get('requests')):>8}{_ms(times.get('p50')):>7}{_ms(times.get('p99')):>7}"
            f"{_cpu(worker, now, before):>6}{memory >> 20 if memory else '-':>6}{worker['loop_lag_ms']:>7.1f}"
        )
    return shown


def _objects(title: str, objects: Sequence[Document], columns: int) -> list[str]:
    """Return the table of servers or APIs, those with the highest rate first."""
    wide = max(_LEAST_NAME, min(40, columns - 65))
    shown = [f"{title:<{wide}}{'REQ/S':>8}{'5XX/S':>7}{'FAIL/S':>7}{'REJ/S':>7}{'ACTIVE':>7}{'P50':>7}{'P99':>7} STATE"]
    for one in sorted(objects, key=lambda one: (-_rates(one).get("requests", 0), -one["requests"], one["name"])):
        rates, times = _rates(one), one["latency_ms"].get(_WINDOW, _NO_RATES)
        name = one["name"] if len(one["name"]) < wide else one["name"][: wide - 2] + "~"
        columns_of = "".join(f"{_number(rates.get(key)):>7}" for key in ("errors", "failures", "rejected"))
        shown.append(
            f"{name:<{wide}}{_number(rates.get('requests')):>8}{columns_of}{one['active']:>7}"
            f"{_ms(times.get('p50')):>7}{_ms(times.get('p99')):>7} {_state(one)}"
        )
    return shown


def _rates(one: Document) -> Document:
    found: Document = (one["rates"] or _NO_RATES).get(_WINDOW, _NO_RATES)
    return found


def _state(one: Document) -> str:
    """Return what is unusual about an object; nothing when all is well."""
    unusual = [one["circuit"] if one["circuit"] not in (None, "closed") else "", one.get("health") or ""]
    return " ".join(word for word in unusual if word not in ("", "up", "unknown"))


def _event(event: Document) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(event["time_ms"] / 1000))
    return f"{clock} {sentence(dict(event))}"


def _cut(table: list[str], length: int) -> list[str]:
    """Return the first lines of a table; the last one says how many more there are."""
    if len(table) <= length:
        return table
    return [*table[: max(1, length - 1)], f"... and {len(table) - max(1, length - 1)} more"]


def _cpu(worker: Document, now: Document, before: Document | None) -> str:
    """Return the share of a core that a worker took since the last screen."""
    earlier = {one["pid"]: one["cpu_s"] for one in before["workers"]} if before else {}
    used, was = worker["cpu_s"], earlier.get(worker["pid"])
    if before is None or used is None or was is None:
        return "-"
    return f"{100 * (used - was) / max(0.001, now['asked_s'] - before['asked_s']):.0f}%"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else _number(value)


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
