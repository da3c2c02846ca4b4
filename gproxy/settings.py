"""The settings of a node: `KEYS` says for each key its parser, its default (as INI text) and its meaning.

`conf/gproxy.ini` is that table written out; `settings_table` reads it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gproxy import entrances, settings_table
from gproxy import settings_values as values
from gproxy.settings_table import Key, Sections, SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

__all__ = ["DEFAULT_PATH", "KEYS", "SECTIONS", "Key", "Settings", "SettingsError", "load"]

#: Used when `gproxy` is started without -c and this file exists.
DEFAULT_PATH: Final = Path("conf/gproxy.ini")


@dataclass(frozen=True, slots=True)
class GproxySection:
    """[gproxy]: addresses, processes and how they stop."""

    bind: tuple[str, ...]
    workers: int
    run_dir: Path
    graceful_timeout_s: float
    hang_timeout_s: float
    trusted_proxies: tuple[Network, ...]
    http2: str
    proxy_protocol: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TlsSection:
    """[tls]: addresses that speak TLS, and with which certificates. Empty `certificates` is the working directory."""

    bind: tuple[str, ...]
    certificates: Path
    default_certificate: str
    min_version: str
    ciphers: str
    client_certificates: str
    client_ca_file: Path | None
    redirect_bind: tuple[str, ...]
    redirect_port: int


@dataclass(frozen=True, slots=True)
class StoreSection:
    """[store]: where the configuration lives."""

    url: str
    username: str
    password_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None


@dataclass(frozen=True, slots=True)
class NodeSection:
    """[node]: who this node is among those that follow the same store."""

    id: str
    control: str


@dataclass(frozen=True, slots=True)
class LogSection:
    """[log]: `file` is a path or "-"; `access` a path, "-" or "off"."""

    level: str
    file: str
    format: str
    access: str
    access_format: str
    access_percent: float
    access_errors: bool


@dataclass(frozen=True, slots=True)
class TracingSection:
    """[tracing]: spans for OpenTelemetry; an empty `endpoint` means none."""

    endpoint: str
    sample_percent: float
    service_name: str
    follow: str


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """[limits]: 0 means no limit."""

    head_bytes: int
    head_fields: int
    target_bytes: int
    body_bytes: int
    buffered_body_bytes: int
    part_bytes: int
    connections: int
    connections_per_ip: int
    slowest_bytes_per_s: int
    http2_streams: int


@dataclass(frozen=True, slots=True)
class CacheSection:
    """[cache]: `bytes` 0 means that no answers are stored."""

    bytes: int


@dataclass(frozen=True, slots=True)
class TimeoutsSection:
    """[timeouts]: seconds, 0 means no limit."""

    head_s: float
    handshake_s: float
    body_s: float
    client_idle_s: float
    connect_s: float
    response_s: float
    upstream_idle_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class ControlSection:
    """[control]: the monitor's own address."""

    bind: str


@dataclass(frozen=True, slots=True)
class FiltersSection:
    """[filters]: `extra` holds "package.module:Class"; 0 errors: a filter is called whatever it does."""

    extra: tuple[str, ...]
    path: tuple[str, ...]
    most_errors: int
    after_errors: str
    rest_s: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a node, checked. Sections and keys carry their INI names."""

    gproxy: GproxySection
    tls: TlsSection
    store: StoreSection
    node: NodeSection
    log: LogSection
    tracing: TracingSection
    limits: LimitsSection
    cache: CacheSection
    timeouts: TimeoutsSection
    control: ControlSection
    filters: FiltersSection


SECTIONS: Final[Sections] = {
    "gproxy": GproxySection,
    "tls": TlsSection,
    "store": StoreSection,
    "node": NodeSection,
    "log": LogSection,
    "tracing": TracingSection,
    "limits": LimitsSection,
    "cache": CacheSection,
    "timeouts": TimeoutsSection,
    "control": ControlSection,
    "filters": FiltersSection,
}

KEYS: Final = (
    Key("gproxy", "bind", values.binds, "127.0.0.1:8080",
        "Public addresses, comma list: host:port, [v6]:port, :port (every IPv4 address), unix:/path."),
    Key("gproxy", "workers", values.workers, "auto",
        "Worker processes: auto (one per usable core) or a number."),
    Key("gproxy", "run_dir", values.path, "run",
        "Folder for the pid file and the last good snapshot."),
    Key("gproxy", "graceful_timeout_s", values.seconds, "30",
        "Longest time a worker may take to finish its requests on TERM, TTOU or a reload (0: no limit)."),
    Key("gproxy", "hang_timeout_s", values.hang_seconds, "10",
        "A worker whose event loop has been blocked for this long is killed and replaced (0: never)."),
    Key("gproxy", "trusted_proxies", values.networks, "",
        "Networks whose X-Forwarded-*, Forwarded and PROXY headers are trusted, comma list of CIDR."),
    Key("gproxy", "http2", values.one_of("off", "tls", "all"), "tls",
        "HTTP/2 with clients: off, tls (by ALPN), or all (also without TLS, with prior knowledge)."),
    Key("gproxy", "proxy_protocol", values.binds, "",
        "Which of the public addresses expect a PROXY protocol header (version 1 or 2) on every connection."),
    Key("tls", "bind", values.binds, "", "Public addresses that speak TLS, written as in [gproxy] bind."),
    Key("tls", "certificates", values.path, "certificates",
        "Folder of the certificates: NAME.crt or NAME.pem with NAME.key, or NAME/fullchain.pem with privkey.pem."),
    Key("tls", "default_certificate", values.text, "",
        "NAME of the certificate for clients that name no host or an unknown one (empty: the first; none: refuse)."),
    Key("tls", "min_version", values.one_of("1.2", "1.3"), "1.2", "Minimum version of TLS: 1.2 or 1.3."),
    Key("tls", "ciphers", values.text, "ECDHE+AESGCM:ECDHE+CHACHA20", "Ciphers for TLS 1.2, in OpenSSL's syntax."),
    Key("tls", "client_certificates", values.one_of("off", "optional", "required"), "off",
        "Ask clients for certificates: off, optional or required."),
    Key("tls", "client_ca_file", values.optional_path, "", "CA certificates for verifying those of clients (PEM)."),
    Key("tls", "redirect_bind", values.binds, "", "Addresses without TLS that redirect every request to https."),
    Key("tls", "redirect_port", values.port, "0", "Port in these redirects (0: that of the first [tls] bind)."),
    Key("store", "url", values.store_url, "sqlite:///run/gateway.db",
        "Configuration store: sqlite:///path (embedded) or etcd://host:port[,host:port]/prefix."),
    Key("store", "username", values.text, "", "etcd user name."),
    Key("store", "password_file", values.optional_path, "", "File holding the etcd password."),
    Key("store", "ca_file", values.optional_path, "", "CA certificates for verifying that of etcd (PEM)."),
    Key("store", "cert_file", values.optional_path, "", "Client certificate for etcd (PEM)."),
    Key("store", "key_file", values.optional_path, "", "Key of the client certificate (PEM)."),
    Key("node", "id", values.name, "", "Unique name of this node (empty: one is generated and kept in run_dir)."),
    Key("node", "control", values.text, "",
        "Address at which gadmin reaches the control endpoint, if that is not [control] bind: host:port."),
    Key("log", "level", values.one_of("debug", "info", "warning", "error"), "info",
        "Level of the program log: debug, info, warning or error."),
    Key("log", "file", values.log_target("-"), "-", "Program log: - (standard error) or a path."),
    Key("log", "format", values.one_of("text", "json"), "text",
        "Format of the program log: text, or json (one object per line)."),
    Key("log", "access", values.log_target("off", "-"), "off",
        "Access log: off, - (standard output) or a path."),
    Key("log", "access_format", values.one_of("json", "combined", "extended"), "json",
        "Format of the access log: json, combined, or extended (combined with more fields at the end)."),
    Key("log", "access_percent", values.percent, "100",
        "Percentage of requests that are logged; an API may have its own."),
    Key("log", "access_errors", values.yes_or_no, "yes",
        "Always log requests that are refused, broken off or answered with 400 or above: yes or no."),
    Key("tracing", "endpoint", values.trace_endpoint, "",
        "Where spans are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces (empty: no traces)."),
    Key("tracing", "sample_percent", values.percent, "100",
        "Percentage of new traces that are sampled; for traces begun elsewhere, their sampled flag decides."),
    Key("tracing", "service_name", values.text, "gproxy", "service.name in the spans."),
    Key("tracing", "follow", values.one_of("all", "trusted", "none"), "all",
        "Whose traceparent is continued: all, trusted (that of trusted_proxies) or none."),
    Key("limits", "head_bytes", values.whole, "32768", "Largest request head, else 431 (0: no limit)."),
    Key("limits", "head_fields", values.whole, "100", "Maximum fields in a request head, else 431 (0: no limit)."),
    Key("limits", "target_bytes", values.whole, "8192", "Longest request target, else 414 (0: no limit)."),
    Key("limits", "body_bytes", values.whole, "0", "Largest request body, else 413 (0: no limit)."),
    Key("limits", "buffered_body_bytes", values.whole, "1048576",
        "Largest request body that is read for its content (validation, rewriting), else 413 (0: no limit)."),
    Key("limits", "part_bytes", values.whole, "8388608",
        "Largest response of one node of an aggregation, else that part fails (0: no limit)."),
    Key("limits", "connections", values.whole, "0", "Maximum client connections per worker (0: no limit)."),
    Key("limits", "connections_per_ip", values.whole, "0",
        "Maximum connections of one client address (IPv6: /64) to the node, except trusted_proxies (0: no limit)."),
    Key("limits", "slowest_bytes_per_s", values.whole, "100",
        "Minimum average rate of a client sending a body or reading a response, after body_s (0: no limit)."),
    Key("limits", "http2_streams", values.streams, "100", "Maximum concurrent requests on one HTTP/2 connection."),
    Key("cache", "bytes", values.cache_bytes, "67108864",
        "Memory for the cached responses of all workers together, taken as it is used (0: no cache)."),
    Key("timeouts", "head_s", values.seconds, "10", "Time for a client to send a request head (0: no limit)."),
    Key("timeouts", "handshake_s", values.seconds, "10",
        "Time for a client's PROXY header and TLS handshake (0: no limit)."),
    Key("timeouts", "body_s", values.seconds, "30",
        "Time between two pieces of a request body, and for either side to accept more data (0: no limit)."),
    Key("timeouts", "client_idle_s", values.seconds, "60",
        "Time after which an idle client connection is closed (0: no limit)."),
    Key("timeouts", "connect_s", values.seconds, "3", "Time to connect to a server (0: no limit)."),
    Key("timeouts", "response_s", values.seconds, "30",
        "Time for a server to send its response head, and between two pieces of its body (0: no limit)."),
    Key("timeouts", "upstream_idle_s", values.seconds, "60",
        "Time after which an idle server connection is closed (0: no limit)."),
    Key("timeouts", "total_s", values.seconds, "0", "Time for a whole request, retries included (0: no limit)."),
    Key("control", "bind", values.bind, "127.0.0.1:9900",
        "Address of the control endpoint: /readyz, /metrics, /stats."),
    Key("filters", "extra", values.classes, "",
        "Filters of your own, comma list of package.module:Class, called in this order (16 at most)."),
    Key("filters", "path", values.folders, "",
        "Folders that their modules are imported from, comma list, searched before Python's own."),
    Key("filters", "most_errors", values.whole, "10",
        "Consecutive errors after which a worker stops calling a filter (0: never)."),
    Key("filters", "after_errors", values.one_of("bypass", "fail"), "fail",
        "What happens to requests meanwhile: they pass without the filter (bypass) or get 500 (fail)."),
    Key("filters", "rest_s", values.seconds, "30", "Seconds after which one request tries the filter again."),
)  # fmt: skip


def good(path: Path | None) -> str:
    """Say that the settings are good, and which file was checked."""
    return settings_table.good(path, DEFAULT_PATH)


def load(path: Path | None, overrides: Mapping[str, Mapping[str, str]] | None = None) -> Settings:
    """Read the INI file and check every value of it.

    `path` None means `DEFAULT_PATH` if it exists, else the defaults alone. `overrides` ({section: {key:
    text}}, from the command line) win over the file. Raises SettingsError with all problems.
    """
    if path is None and DEFAULT_PATH.exists():
        path = DEFAULT_PATH
    settings = Settings(**settings_table.load(KEYS, SECTIONS, path, overrides))
    if found := list(entrances.problems(settings)):
        raise SettingsError(found)
    return settings
