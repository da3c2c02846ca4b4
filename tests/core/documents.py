"""Strategies for valid configurations, by kind and as a whole."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

names = st.from_regex(r"[A-Za-z0-9._:-]{1,12}", fullmatch=True).filter(lambda name: name not in (".", ".."))
seconds = st.one_of(st.none(), st.floats(0, 1e6), st.integers(0, 1000))
header_names = st.from_regex(r"X-[A-Za-z]{1,8}", fullmatch=True)
# No control characters, no surrogates, no blank at either end.
header_values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).map(
    lambda text: text.strip(" \t")
)


def unique_lists(items: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(items, unique_by=str.lower, max_size=most)


@st.composite
def servers(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": draw(names),
        "address": draw(st.sampled_from(["127.0.0.1:80", "[::1]:80", "unix:/run/a.sock", "a.b:1"])),
    }
    if draw(st.booleans()):
        document |= {"scheme": "https", "tls": draw(tls())}
    optional = {
        "weight": st.integers(0, 1000),
        "status": st.sampled_from(["up", "down", "drain"]),
        "backup": st.booleans(),
        "slow_start_s": st.floats(0, 3600),
        "health_check": st.one_of(st.none(), health_checks()),
        "circuit_breaker": st.one_of(st.none(), circuit_breakers()),
    }
    return document | draw(st.fixed_dictionaries({}, optional=optional))


def tls() -> st.SearchStrategy[dict[str, Any]]:
    optional = {"verify": st.booleans(), "server_name": st.just("a.b"), "ca_file": st.just("/ca.pem")}
    return st.fixed_dictionaries({}, optional=optional)


def health_checks() -> st.SearchStrategy[dict[str, Any]]:
    """Draw checks of every type; only those of a server, for clusters that share one must agree."""
    some: dict[str, st.SearchStrategy[Any]] = {
        "interval_s": st.floats(0.1, 3600),
        "rise": st.integers(1, 9),
        "fall": st.integers(1, 9),
    }
    asked: dict[str, st.SearchStrategy[Any]] = {
        "path": st.sampled_from(["/", "/up?deep=1"]),
        "headers": st.dictionaries(st.sampled_from(["Host", "X-A"]), header_values, max_size=2),
        "expect_status": st.sampled_from(["200", "200-299, 301"]),
        "expect_body": st.sampled_from(["", "OK", "~^ok"]),
    }
    bare = st.fixed_dictionaries({"type": st.sampled_from(["tcp", "off"])}, optional=some)
    return st.one_of(bare, st.fixed_dictionaries({}, optional=some | asked))


def circuit_breakers() -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        "consecutive_failures": st.integers(1, 1000),
        "failure_percent": st.floats(0, 100),
        "open_s": st.floats(0.05, 300),
        "failure_statuses": st.sampled_from(["500-599", "502, 503,504"]),
    }
    return st.fixed_dictionaries({}, optional=optional)


def retries() -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        "attempts": st.integers(1, 10),
        "statuses": st.sampled_from(["", "502-504"]),
        "methods": st.sampled_from(["idempotent", "GET, POST"]),
        "backoff_ms": st.floats(0, 60_000),
        "report": st.booleans(),
    }
    return st.fixed_dictionaries({}, optional=optional)


def default_responses() -> st.SearchStrategy[dict[str, Any]]:
    # TOML has no null.
    json = st.recursive(st.booleans() | st.integers(-9, 9) | header_values, st.lists, max_leaves=4)
    optional = {"headers": st.dictionaries(header_names, header_values, max_size=2), "body": json}
    return st.fixed_dictionaries({}, optional=optional)


def timeouts() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={"connect_s": seconds, "response_s": seconds, "total_s": seconds})


def header_edits() -> st.SearchStrategy[dict[str, Any]]:
    values = header_values.map(lambda text: text.replace("{", "{{").replace("}", "}}"))
    fields = st.lists(st.tuples(header_names, values), unique_by=lambda pair: pair[0].lower(), max_size=3)
    return st.fixed_dictionaries({}, optional={"set": fields.map(dict), "add": fields.map(dict)})


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Draw the lists of a whole valid configuration, as a file has them."""
    backends = draw(st.lists(servers(), unique_by=lambda item: item["name"], max_size=4))
    known = [item["name"] for item in backends]
    cluster = st.fixed_dictionaries(
        {"name": names, "servers": unique_lists(st.sampled_from(known)) if known else st.just([])},
        optional={"timeouts": timeouts()},
    )
    clusters = draw(st.lists(cluster, unique_by=lambda item: item["name"], max_size=3))
    if not clusters:
        return {"servers": backends, "clusters": [], "apis": [], "routings": []}
    api = st.fixed_dictionaries(
        {
            "name": names,
            "path": st.sampled_from(["/*", "/a/b", "/users/{id}", "/users/{id:int}", "/a/*", "~^/v[0-9]+$"]),
            "nodes": st.sampled_from([item["name"] for item in clusters]).map(lambda name: [{"cluster": name}]),
        },
        optional={
            "hosts": unique_lists(st.sampled_from(["a.de", "*.b.de", "C.de"])),
            "methods": unique_lists(st.sampled_from(["GET", "post", "PURGE"])),
            "priority": st.integers(-5, 5),
            "status": st.sampled_from(["up", "down"]),
            "preserve_host": st.booleans(),
            "request_headers": header_edits(),
            "timeouts": timeouts(),
            "circuit_breaker": circuit_breakers(),
            "retry": retries(),
            "default_response": default_responses(),
            "tags": unique_lists(names),
        },
    )
    apis = draw(st.lists(api, unique_by=lambda item: item["name"], max_size=4))
    rules = draw(st.lists(routings(apis, clusters), unique_by=lambda item: item["name"], max_size=3))
    return {"servers": backends, "clusters": clusters, "apis": apis, "routings": rules}


def routings(apis: Sequence[dict[str, Any]], clusters: Sequence[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw rules for one or all of these APIs that lead to one of these clusters."""
    conditions = st.sampled_from(["$cookie_group == beta", "$header_x_n > 3", "$client_ip in 10.0.0.0/8, ::1"])
    optional: dict[str, st.SearchStrategy[Any]] = {
        "priority": st.integers(-5, 5),
        "path": st.sampled_from(["/a/b", "/users/{id}", "/a/*", "~^/v[0-9]+$"]),
        "when": st.fixed_dictionaries({}, optional={"all": unique_lists(conditions), "any": unique_lists(conditions)}),
        "percent": st.floats(0, 100),
        "sticky": st.sampled_from(["client_ip", "cookie:id", "header:X-User", "query:u"]),
        "expires_at": st.sampled_from(["2026-12-24T18:00:00Z", "2026-12-24T18:00:00.5+01:00"]),
        "status": st.sampled_from(["up", "down"]),
    }
    if apis:
        optional["api"] = st.sampled_from([item["name"] for item in apis])
    named = {"name": names, "cluster": st.sampled_from([item["name"] for item in clusters])}
    compare: dict[str, st.SearchStrategy[Any]] = {
        "percent": st.floats(0, 100),
        "headers": unique_lists(header_names),
        "ignore": unique_lists(st.sampled_from(["time", "items.*.id"])),
        "body": st.booleans(),
    }
    copying: dict[str, st.SearchStrategy[Any]] = {
        "timeout_s": st.floats(0.1, 300),
        "max_body_bytes": st.integers(0, 1 << 20),
        "compare": st.none() | st.fixed_dictionaries({}, optional=compare),
    }
    mirrors = st.fixed_dictionaries({**named, "action": st.just("mirror")}, optional=optional | copying)
    return st.fixed_dictionaries(named, optional=optional) | mirrors
