"""What the gateway of the long run is configured for: everything that an API can have."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

KEY: Final = "open-sesame"
SECRET: Final = "not-a-secret-not-a-secret-not-a-secret"
_SHARED: Final = {"nodes": [{"cluster": "all"}]}


def ini(folder: Path, port: int, tls_port: int, control_port: int) -> str:
    """Return the settings: two workers, all kinds of addresses, limits low enough to act."""
    return f"""
[gproxy]
bind = 127.0.0.1:{port}
workers = 2
run_dir = {folder}/run
http2 = all
[tls]
bind = 127.0.0.1:{tls_port}
certificates = {folder}/certificates
[store]
url = sqlite:///{folder}/gateway.db
[control]
bind = 127.0.0.1:{control_port}
[log]
file = {folder}/gproxy.log
access = {folder}/access.log
[timeouts]
head_s = 5
body_s = 5
[filters]
extra = inside:Inside
path = {Path(__file__).parent}
"""


def objects(ports: Sequence[int], chat_port: int, percent: int = 20) -> dict[str, Any]:
    """Return the servers at `ports`, and APIs; `percent` of some requests go another way."""
    names = [f"s{number}" for number in range(len(ports))]
    servers = [{"name": name, "address": f"127.0.0.1:{port}"} for name, port in zip(names, ports, strict=True)]
    cluster = {
        "name": "all",
        "servers": names,
        "circuit_breaker": {"consecutive_failures": 20, "failure_percent": 60, "open_s": 2, "max_open_s": 4},
        "health_check": {"path": "/healthz", "interval_s": 1, "timeout_s": 1},
        "retry": {"attempts": 2, "statuses": "502-504"},
    }
    others = {"name": "others", "servers": names[:1], "load_balance": "p2c"}
    return {
        "servers": [*servers, {"name": "chat", "address": f"127.0.0.1:{chat_port}"}],
        "clusters": [cluster, others, {"name": "chat", "servers": ["chat"]}],
        "apis": apis(),
        "routings": [
            {"name": "canary", "api": "plain", "cluster": "others", "percent": percent, "sticky": "client_ip"},
            {"name": "copies", "api": "posts", "action": "mirror", "cluster": "others", "percent": 50, "compare": {}},
        ],
    }


def apis() -> list[dict[str, Any]]:
    """Return an API for each kind of request."""
    key = {"consumer": "soak", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}
    parts = [
        {"cluster": "all", "attr": "user", "rewrite": "/users/{path.id}"},
        {"cluster": "all", "attr": "order", "batch": 1, "rewrite": "/orders/{user.user}", "default": {}},
    ]
    return [
        {"name": "plain", "path": "/small", **_SHARED},
        {"name": "posts", "path": "/posts", "methods": ["POST"], **_SHARED},
        {"name": "pages", "path": "/pages/{id:int}", "nodes": parts, "merge": {"on_failure": "default"}},
        {"name": "keyed", "path": "/keyed", "auth": {"api_keys": {"keys": [key]}}, **_SHARED},
        {"name": "signed", "path": "/signed", "auth": {"jwt": {"algorithms": ["HS256"], "secret": SECRET}}, **_SHARED},
        {"name": "limited", "path": "/limited", "rate_limit": {"rate": 5, "key": "header:X-Who"}, **_SHARED},
        {"name": "checked", "path": "/checked", "validation": [{"in": "query", "name": "n", "type": "integer"}],
         **_SHARED},
        {"name": "queued", "path": "/slow", "max_concurrency": 4, "queue": {"size": 8, "timeout_s": 0.5}, **_SHARED},
        {"name": "chat", "path": "/chat", "nodes": [{"cluster": "chat"}], "upgrade": {"drain_s": 1}},
        {"name": "moved", "path": "/moved", "redirect": {"location": "/small"}},
        {"name": "made", "path": "/made", "mock": True, "default_response": {"body": "made up"}},
        {"name": "inside", "path": "/inside", "mock": True, "default_response": {}, "filters": {"inside": {}}},
        {"name": "rest", "path": "/*", "cors": {"origins": ["https://a.test"]}, "access": {"deny": ["192.0.2.0/24"]},
         "response_headers": {"set": {"X-Soak": "1"}}, **_SHARED},
    ]  # fmt: skip
