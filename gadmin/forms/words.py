"""Labels and explanations of fields, and the sections of each form.

A field that is not named here still has both: its name, and what its model says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gadmin.forms.spec import Field, Widget, spec

#: The number of a row of a list.
ROW: Final = r"\[\d+\]"


@dataclass(frozen=True, slots=True)
class Section:
    """Some fields of a form under one title."""

    title: str
    fields: tuple[Field, ...]


#: Kind -> title of a section -> its fields. What is left comes under the last title.
SECTIONS: Final[dict[str, dict[str, str]]] = {
    "server": {
        "Server": "name address scheme status",
        "Balancing": "weight backup slow_start_s",
        "Limits": "max_qps burst max_connections queue",
        "Protection": "health_check circuit_breaker",
        "More": "tls",
    },
    "cluster": {
        "Cluster": "name servers",
        "Balancing": "load_balance hash_on sticky_cookie",
        "Protection": "health_check circuit_breaker retry",
        "More": "timeouts",
    },
    "api": {
        "API": "name path status priority hosts methods",
        "Where requests go": "nodes rewrite preserve_host merge",
        "Limits": "rate_limit max_concurrency queue timeouts retry circuit_breaker",
        "Who may call": "access auth cors validation",
        "Edits": "request_headers response_headers",
        "Answers": "cache compress mock default_response redirect",
        "More": "upgrade access_log tags filters",
    },
    "routing": {
        "Routing": "name status priority expires_at",
        "Which requests": "api node path when",
        "Where they go": "cluster percent sticky action",
        "Mirrors": "compare timeout_s max_body_bytes",
    },
}

#: What is not called what its name says.
_LABELS: Final = {
    "all": "All of these hold",
    "any": "Or one of these",
    "api": "API",
    "api_keys": "API keys",
    "attr": "Name of the part",
    "auth": "Authentication",
    "ca_file": "CA file",
    "consumer_claim": "Claim that says who it is",
    "consumer_header": "Header field that tells the server who it is",
    "cors": "CORS",
    "enum": "One of",
    "expires_at": "Expires",
    "expose": "Fields that pages may read",
    "failure_percent": "Failed requests",
    "failure_statuses": "Failure statuses",
    "half_open_percent": "Let through when half-open",
    "half_open_successes": "Successes to close",
    "in": "Where in the request",
    "jwks_file": "Key set, file",
    "jwks_url": "Key set, URL",
    "jwt": "JSON Web Tokens",
    "max_qps": "Requests per second, at most",
    "max_connections": "Requests in flight, at most",
    "max_concurrency": "Requests in flight, at most",
    "load_balance": "Load balancing",
    "max_body_bytes": "Largest body",
    "max_ejected_percent": "Ejected servers, at most",
    "max_open_s": "Open for, at most",
    "min_requests": "Minimum requests",
    "mock": "Answer without a server",
    "on_failure": "When a part fails",
    "open_s": "Open for",
    "per_s": "Per",
    "percent": "Share",
    "preserve_host": "Keep the caller's Host",
    "report": "Tell clients how many attempts there were",
    "select": "Only these fields",
    "sha256": "SHA-256 of the key",
    "share": "Shared within",
    "slow_percent": "Slow requests",
    "slow_s": "Slow from",
    "tls": "TLS",
    "url_pattern": "URL pattern",
}
_UNITS: Final = {"_ms": "ms", "_s": "s", "_percent": "%", "_bytes": "bytes"}

#: Path -> what a user should know.
_HINTS: Final = {
    "server.name": "How clusters call it; by default its address.",
    "server.address": "host:port, [IPv6]:port or unix:/path",
    "server.weight": "Its share of the requests; 0 gets none.",
    "server.status": "drain: finishes what it has and gets nothing new.",
    "server.backup": "Used only while no other server can be.",
    "server.slow_start_s": "How long a server that comes back takes to get its full share.",
    "server.max_qps": "0: no limit",
    "server.burst": "How many may come at once; 0: all of a second's.",
    "server.max_connections": "0: no limit",
    "cluster.servers": "One per line.",
    "cluster.hash_on": "client_ip, header:NAME, cookie:NAME, query:NAME or path",
    "cluster.sticky_cookie": "The name of a cookie that takes a client back to the same server.",
    "api.hosts": "One per line; none: any host. *.example.com is any host below.",
    "api.methods": "GET, POST ...; none: all of them.",
    "api.path": "/exact, /users/{id}, /users/{id:int}, /prefix/* or ~^/v(\\d+)/",
    "api.priority": "Higher ones are asked first.",
    "api.max_concurrency": "0: no limit",
    "api.rewrite": "What a server is asked for: /users?id={path.id}&page={query.page|1}",
    "api.nodes[].rewrite": "Instead of the API's own.",
    "api.nodes[].attr": "Needed when there are several nodes: where its answer is in the whole.",
    "api.nodes[].batch": "Lower ones first; later ones may use what they said: {user.id}",
    "api.nodes[].method": "Instead of the client's own.",
    "api.nodes[].required": "Whether its failure is that of the whole; by default as merge says.",
    "api.nodes[].default": "JSON that stands in for a part that failed.",
    "api.nodes[].select": "Of its JSON, one per line; a.b goes deeper.",
    "api.access.allow": "Addresses or networks, one per line: 10.0.0.0/8",
    "api.access.deny": "Addresses or networks, one per line.",
    "api.auth.api_keys.keys[].consumer": "Who has the key.",
    "api.auth.jwt.claims": "JSON: the values that claims must have.",
    "api.cors.origins": "One per line: https://app.example.com",
    "api.rate_limit.key": "client_ip, header:NAME or cookie:NAME: each value by itself.",
    "api.validation[].enum": "JSON: a list of values.",
    "api.validation[].schema": "JSON Schema, for the whole body.",
    "api.mock": "Always what default_response says.",
    "api.default_response.body": "Text, or JSON.",
    "api.redirect.location": "https://example.com{path}",
    "api.upgrade.protocols": "One per line: websocket",
    "api.filters": "JSON for filters of your own.",
    "routing.node": "Only this part of an aggregation.",
    "routing.cluster": "Where they go instead, or where copies go.",
    "routing.action": "mirror: copies go there, and nobody waits for them.",
    "routing.timeout_s": "How long a copy may take.",
    "routing.max_body_bytes": "Requests with larger bodies are not copied.",
    "routing.compare.headers": "Fields whose difference counts, one per line.",
    "routing.compare.ignore": "What in JSON may differ, one path per line.",
    "routing.api": "Only requests of this API.",
    "routing.path": "Only requests with this path; forms as of an API.",
    "routing.when.all": "All must hold, one per line: $cookie_group == beta, $header_x ~ ^a, $query_y in a,b",
    "routing.when.any": "One must hold.",
    "routing.sticky": "client_ip, cookie:NAME, header:NAME or query:NAME: who keeps its side of the split.",
    "routing.percent": "How many of these requests are led there.",
    "routing.expires_at": "After this moment the routing does nothing: 2027-01-31T12:00:00Z",
    "api.compress.encodings": "br, gzip: the first one that a client likes best.",
    "api.compress.level": "1 is fast, 9 makes the least of it.",
    "api.compress.min_bytes": "Smaller answers are left alone.",
    "api.compress.types": "One per line; * stands for anything.",
    "api.access_log.percent": "The share of its requests that have a line.",
    "api.access_log.errors": "A line all the same for what fails.",
    "api.tags": "One per line.",
    "cluster.url_pattern": "Shorthand: requests with this path go to the cluster without an API.",
    "routing.when": "A request matches if all of the first hold, or one of the second. Without any, all do.",
}

#: The same in every kind: the end of the path, two names at most -> what a user should know.
_HINTS_ANYWHERE: Final = {
    "circuit_breaker": "Stops sending requests to what keeps failing, and lets a few through later to see whether it "
    "has recovered. At least one of its rules must be on. A server's own replaces that of its cluster as a whole.",
    "circuit_breaker.consecutive_failures": "Opens after so many in a row; 0: off",
    "circuit_breaker.failure_percent": "Opens from this share of the window on; 0: off",
    "circuit_breaker.min_requests": "Fewer in the window do not open it by their share.",
    "circuit_breaker.window_s": "Over which shares are counted.",
    "circuit_breaker.slow_s": "Requests that take longer are slow; 0: off",
    "circuit_breaker.slow_percent": "Opens from this share of slow ones on; 0: off",
    "circuit_breaker.open_s": "Before it is half-open; doubles each time it opens again.",
    "circuit_breaker.max_open_s": "Where the doubling ends.",
    "circuit_breaker.half_open_percent": "The share of requests that probe the server.",
    "circuit_breaker.half_open_successes": "Probes in a row that must succeed.",
    "circuit_breaker.failure_statuses": "500-599, 429: statuses that count as failures.",
    "circuit_breaker.max_ejected_percent": "Of a cluster; beyond it, all are used. 0: never refuses, only reports.",
    "circuit_breaker.share": "cluster: opens on all nodes when quorum of them have opened it.",
    "circuit_breaker.quorum": "Nodes that must agree, when shared within the cluster.",
}


def sections(kind: str) -> list[Section]:
    """Return the sections of the form of a kind; every field is in exactly one."""
    fields = {field.name: field for field in spec(kind)}
    titles = SECTIONS.get(kind, {"": ""})
    found = [(title, [fields.pop(name) for name in names.split() if name in fields]) for title, names in titles.items()]
    found[-1][1].extend(fields.values())
    return [Section(title, tuple(of_it)) for title, of_it in found if of_it]


#: Parts that are shown open: they are what the form is about.
_OPEN: Final = frozenset({"routing.when"})


def is_open(kind: str, path: str) -> bool:
    """Tell whether a part is shown open though it says nothing yet."""
    return f"{kind}.{path}" in _OPEN


#: Fields whose text is long.
_WIDE: Final = frozenset({"all", "any", "location", "rewrite", "schema"})


def is_wide(name: str) -> bool:
    """Tell whether the input of a field needs more room than others."""
    return name in _WIDE


def label(name: str) -> str:
    """Return what a field is called on pages."""
    if name in _LABELS:
        return _LABELS[name]
    suffix = next((suffix for suffix in _UNITS if name.endswith(suffix)), "")
    return name.removesuffix(suffix).replace("_", " ").capitalize() or name


def trail(path: str) -> str:
    """Return what a field is called with all that it is in: `nodes[1].timeout_s` is "Nodes 2 > Timeout"."""
    return " > ".join(_step(step) for step in path.split("."))


def _step(step: str) -> str:
    name, _, number = step.rstrip("]").partition("[")
    return f"{label(name)} {int(number) + 1}" if number.isdigit() else label(name)


def unit(name: str) -> str:
    """Return the unit of a field, "" when it has none."""
    if name == "percent":
        return "%"
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def figure(name: str, value: object) -> str:
    """Return a figure of an event with its name and unit: `took_ms` 4 is "took 4 ms"."""
    unit_of = unit(name)
    said = next((name.removesuffix(suffix) for suffix in _UNITS if name.endswith(suffix)), name).replace("_", " ")
    return f"{said} {value} {unit_of}".strip()


def hint(kind: str, path: str, field: Field) -> str:
    """Return the explanation below an input."""
    plain = re.sub(ROW, "[]", path)
    said = _HINTS.get(f"{kind}.{plain}") or _HINTS_ANYWHERE.get(".".join(plain.split(".")[-2:]), "")
    if said or field.widget in (Widget.PART, Widget.OPTION):
        return said or field.doc.replace("`", "").replace("\n", " ")
    return ", ".join(_bounds(field))


def _bounds(field: Field) -> Iterator[str]:
    if field.widget is Widget.NAMES:
        yield "One per line."
    if field.widget is Widget.JSON:
        yield "JSON"
    if field.widget is Widget.NUMBER and field.least is not None and field.most is not None and field.most < 1_000_000:
        yield f"{field.least:g} to {field.most:g}"
