"""What is asked of every proxy: one visible table."""

from dataclasses import dataclass

from scripts.benchmark.configuration import Setup

IDLE_CONNECTIONS = 5000
DEFAULT_SETUP = Setup()

# gproxy remembers the parsed form of header blocks it has seen, so equal requests flatter it. Here every
# request carries the header set of a browser with two values never seen before.
VARYING_HEADERS = """
local count = 0
request = function()
  count = count + 1
  return wrk.format("GET", nil, {
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    ["Accept"] = "application/json, text/plain, */*",
    ["Accept-Language"] = "en-GB,en;q=0.7,de;q=0.3",
    ["Accept-Encoding"] = "gzip, deflate, br",
    ["Cookie"] = string.format("session=%016x; theme=light", count * 2654435761 % 4294967296),
    ["Traceparent"] = string.format("00-4bf92f3577b34da6%016x-00f067aa0ba902b7-01", count),
  })
end
"""

POST_10K = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = string.rep("0123456789abcdef", 640)
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of load; `script` is Lua for wrk, empty for plain GET requests over keep-alive.

    With `streams` h2load asks over HTTP/2 instead, with so many requests in flight on each connection.
    """

    name: str
    title: str
    path: str = "/small"
    connections: int = 64
    script: str = ""
    closes: bool = False
    streams: int = 0
    setup: Setup = DEFAULT_SETUP

    @property
    def is_idle(self) -> bool:
        """True for the one workload that measures memory instead of requests."""
        return self.name == "idle"


WORKLOADS = (
    Workload("small_get", "small GET, 64 connections"),
    Workload("varying_headers", "small GET, headers never seen before", script=VARYING_HEADERS),
    Workload("body_10k", "GET 10 KB", path="/10k"),
    Workload("body_1m", "GET 1 MB", path="/1m", connections=16),
    Workload("post_10k", "POST 10 KB", script=POST_10K),
    Workload("new_connection", "new connection per request", closes=True),
    Workload("protected", "small GET, limit, breaker, health check", setup=Setup(is_protected=True)),
    Workload("split", "small GET, 3 rules (others: none)", setup=Setup(rules="split")),
    Workload("mirrored", "small GET, copied and compared (others: plain GET)", setup=Setup(rules="mirror")),
    Workload("tls_small_get", "small GET over TLS, 64 connections", setup=Setup(speaks_tls=True)),
    Workload("tls_body_1m", "GET 1 MB over TLS", path="/1m", connections=16, setup=Setup(speaks_tls=True)),
    Workload("tls_new_connection", "new TLS connection per request", closes=True, setup=Setup(speaks_tls=True)),
    Workload(
        "http2_small_get",
        "small GET over HTTP/2, 8 connections of 8 streams",
        connections=8,
        streams=8,
        setup=Setup(speaks_tls=True),
    ),
    Workload("slow_backend", "20 ms backend, 512 connections", connections=512, setup=Setup(is_slow=True)),
    Workload("apis_10", "10 APIs, the last matches", path="/service-10/small", setup=Setup(apis=10)),
    Workload("apis_1000", "1,000 APIs, the last matches", path="/service-1000/small", setup=Setup(apis=1000)),
    Workload("apis_10000", "10,000 APIs, the last matches", path="/service-10000/small", setup=Setup(apis=10000)),
    Workload("aggregate_3", "one answer of 3 parts (others: plain GET)", setup=Setup(parts=3)),
    Workload("idle", f"memory per idle connection ({IDLE_CONNECTIONS:,})", setup=Setup(is_fresh=True)),
)
