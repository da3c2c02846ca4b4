"""Equal configuration for every proxy, as text.

Each has one worker, two backend servers in turn over kept connections, X-Forwarded-For added and no access
log; limits on requests per connection are lifted. Everything else is as each program comes, buffer sizes too:
nginx with `proxy_buffers 16 16k` would need about half for 1 MB bodies.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MAX_CONNECTIONS = 6000


@dataclass(frozen=True, slots=True)
class Setup:
    """What a running set of proxies is configured for; workloads with equal setups share one set.

    `apis` is the number of path prefixes `/service-N/`, 0 for one that takes every path. `is_slow` puts the backend
    that answers after 20 ms behind the proxies. `is_fresh` asks for proxies that did nothing yet. `speaks_tls`:
    clients speak TLS, HTTP/2 too; the certificate is in the folder `certificates` of each proxy. With `parts`
    gproxy makes each answer of so many requests to the servers, while the others pass on a plain one.
    `is_protected`: gproxy has a rate limit, circuit breakers and health checks as well, all of which let everything
    through. `rules` of gproxy are for every request: "split" are two whose conditions do not hold and a sticky
    half, "mirror" copies and compares.
    """

    apis: int = 0
    is_slow: bool = False
    is_fresh: bool = False
    speaks_tls: bool = False
    parts: int = 0
    is_protected: bool = False
    rules: str = ""

    @property
    def prefixes(self) -> list[str]:
        """The path prefixes that are forwarded, in the order of their numbers."""
        return [f"/service-{number}/" for number in range(1, self.apis + 1)] or ["/"]


def nginx_head(folder: Path) -> str:
    """Return the part of an nginx configuration that keeps the instance inside its folder, up to `http {`."""
    scratch = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {3 * MAX_CONNECTIONS}; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
{scratch}
"""


def nginx_backend(folder: Path, ports: tuple[int, int]) -> str:
    """Return the configuration of the backend: one nginx that listens as two servers and serves `folder`."""
    listen = "".join(f"    listen 127.0.0.1:{port} backlog=4096;\n" for port in ports)
    body = json.dumps({"id": 1, "name": "Ada Lovelace", "email": "ada@example.com"})
    return f"""{nginx_head(folder)}
  sendfile on;
  default_type application/json;
  server {{
{listen}
    location / {{ return 200 '{body}'; }}
    location = /10k {{ root {folder}; }}
    location = /1m {{ root {folder}; }}
  }}
}}
"""


def nginx(folder: Path, port: int, servers: tuple[int, int], setup: Setup) -> str:
    """Return the configuration of nginx as proxy."""
    locations = "\n".join(f"    location {prefix} {{ proxy_pass http://backend; }}" for prefix in setup.prefixes)
    pair = f"{folder}/certificates/bench"
    # By itself nginx 1.22 speaks TLS 1.2 at most, whose resumption takes a third of the time.
    tls = f"ssl_certificate {pair}.crt; ssl_certificate_key {pair}.key; ssl_protocols TLSv1.2 TLSv1.3;"
    return f"""{nginx_head(folder)}
  upstream backend {{
    server 127.0.0.1:{servers[0]};
    server 127.0.0.1:{servers[1]};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  server {{
    listen 127.0.0.1:{port} {"ssl http2" if setup.speaks_tls else ""} backlog=4096;
    {tls if setup.speaks_tls else ""}
{locations}
  }}
}}
"""


def haproxy(folder: Path, port: int, servers: tuple[int, int], setup: Setup) -> tuple[str, str]:
    """Return the configuration of haproxy and the content of the map file `folder/paths.map`."""
    choose = f"use_backend %[path,map_beg({folder}/paths.map)]" if setup.apis else "default_backend all"
    tls = f"ssl crt {folder}/all.pem alpn h2,http/1.1" if setup.speaks_tls else ""
    text = f"""
global
  nbthread 1
  maxconn {MAX_CONNECTIONS}
defaults
  mode http
  timeout connect 3s
  timeout server 30s
  timeout client 1h
  timeout http-keep-alive 1h
  option http-keep-alive
  option forwardfor
  http-reuse always
frontend main
  bind 127.0.0.1:{port} backlog 4096 {tls}
  {choose}
backend all
  balance roundrobin
  server u1 127.0.0.1:{servers[0]}
  server u2 127.0.0.1:{servers[1]}
"""
    return text, "".join(f"{prefix} all\n" for prefix in setup.prefixes)


def gproxy_settings(folder: Path, port: int, setup: Setup) -> str:
    """Return the INI of gproxy."""
    bind = f"127.0.0.1:{port}"
    return f"""
[gproxy]
bind = {"" if setup.speaks_tls else bind}
workers = 1
run_dir = {folder}/run
[tls]
bind = {bind if setup.speaks_tls else ""}
certificates = {folder}/certificates
[store]
url = sqlite:///{folder}/gateway.db
[log]
access = off
file = {folder}/gproxy.log
[timeouts]
client_idle_s = 3600
[control]
bind = 127.0.0.1:0
"""


#: What rules of gproxy are used for; the cluster that they lead to is the only one.
RULES: Final[dict[str, list[dict[str, Any]]]] = {
    "": [],
    "split": [
        {"name": "a", "cluster": "all", "when": {"all": ["$cookie_group == beta"]}},
        {"name": "b", "cluster": "all", "when": {"any": ["$header_x_team in red, blue", "$query_v > 2"]}},
        {"name": "c", "cluster": "all", "percent": 50, "sticky": "client_ip"},
    ],
    "mirror": [{"name": "a", "cluster": "all", "action": "mirror", "compare": {}}],
}


def gproxy_objects(servers: tuple[int, int], setup: Setup) -> str:
    """Return the servers, cluster and APIs for `gproxyctl apply` as JSON."""
    nodes = [{"cluster": "all", "attr": f"part{number}"} for number in range(1, setup.parts + 1)]
    api: dict[str, Any] = {"nodes": nodes or [{"cluster": "all"}]}
    cluster: dict[str, Any] = {"name": "all", "servers": ["u1", "u2"]}
    if setup.is_protected:
        api["rate_limit"] = {"rate": 1_000_000}
        cluster |= {"circuit_breaker": {"failure_percent": 50}, "health_check": {"path": "/small"}}
    apis = [{"name": f"api-{number}", "path": f"{prefix}*"} | api for number, prefix in enumerate(setup.prefixes, 1)]
    return json.dumps(
        {
            "servers": [{"name": f"u{n}", "address": f"127.0.0.1:{port}"} for n, port in enumerate(servers, 1)],
            "clusters": [cluster],
            "apis": apis,
            "routings": RULES[setup.rules],
        }
    )
