from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from gproxy import settings_values as values


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (values.text, "", ""),
        (values.name, "", ""),
        (values.name, "web-1.example:9", "web-1.example:9"),
        (values.path, "run", Path("run")),
        (values.optional_path, "", None),
        (values.optional_path, "a/b", Path("a/b")),
        (values.whole, "0", 0),
        (values.seconds, "0.5", 0.5),
        (values.hang_seconds, "0", 0.0),
        (values.hang_seconds, "2", 2.0),
        (values.percent, "0.5", 0.5),
        (values.percent, "100", 100.0),
        (values.yes_or_no, "yes", True),
        (values.yes_or_no, "no", False),
        (values.trace_endpoint, "", ""),
        (values.trace_endpoint, "https://[::1]:4318/v1/traces", "https://[::1]:4318/v1/traces"),
        (values.workers, "128", 128),
        (values.one_of("a", "b"), "b", "b"),
        (values.log_target("off"), "logs/x", "logs/x"),
        (values.items, "a , b", ["a", "b"]),
        (values.binds, "127.0.0.1:0, 127.0.0.1:0", ("127.0.0.1:0", "127.0.0.1:0")),
        (values.binds, "", ()),
        (values.port, "443", 443),
        (values.bind, ":80", ":80"),
        (values.bind, "[::1]:80", "[::1]:80"),
        (values.bind, "localhost:65535", "localhost:65535"),
        (values.bind, "unix:/run/x.sock", "unix:/run/x.sock"),
        (values.networks, "", ()),
        (values.networks, "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        (values.store_url, "sqlite:////var/x.db", "sqlite:////var/x.db"),
        (values.store_url, "etcd://a:2379,[::1]:2379/gproxy", "etcd://a:2379,[::1]:2379/gproxy"),
        (values.classes, "my.filters:A, b:C", ("my.filters:A", "b:C")),
    ],
)
def test_good_values(parse: Callable[[str], object], text: str, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (values.name, "a b", "must be of letters, digits and . _ : -, at most 128 of them"),
        (values.path, "", "must be a path"),
        (values.whole, "-1", "whole number, 0 or more"),
        (values.whole, "²", "whole number, 0 or more"),
        (values.whole, "1e3", "whole number, 0 or more"),
        (values.seconds, "nan", "number of seconds"),
        (values.seconds, "inf", "number of seconds"),
        (values.seconds, "-0.1", "number of seconds"),
        (values.hang_seconds, "1.9", "0 or at least 2 seconds"),
        (values.workers, "0", "from 1 to 128"),
        (values.workers, "129", "from 1 to 128"),
        (values.one_of("a", "b"), "c", "one of a, b"),
        (values.log_target("off", "-"), "", "off, - or a path"),
        (values.log_target("off", "-"), "yes", "off, - or a path"),
        (values.log_target("-"), "off", "must be - or a path"),
        (values.items, "a,,b", "empty item"),
        (values.binds, ":1, :1", "has :1 twice"),
        (values.port, "65536", "must be a port"),
        (values.bind, "8080", "must be host:port"),
        (values.bind, "::1:80", "must be host:port"),
        (values.bind, "[::1:80", "must be host:port"),
        (values.bind, "[::g]:80", "not an IPv6 address"),
        (values.bind, "a:65536", "0 to 65535"),
        (values.bind, "http://a:80", "must be host:port"),
        (values.bind, "unix:x.sock", "must be absolute"),
        (values.bind, "unix:/" + "x" * 107, "at most 107 bytes"),
        (values.networks, "10.0.0.1/8", "has host bits set"),
        (values.store_url, "sqlite:///", "must be sqlite:///path or"),
        (values.store_url, "etcd://a", "must be sqlite:///path or"),
        (values.store_url, "mysql://a:1/x", "must be sqlite:///path or"),
        (values.store_url, "sqlite:///run/", "must be sqlite:///path or"),
        (values.store_url, "etcd://a:2379/my gateway", "must be sqlite:///path or"),
        (values.classes, "a.b", "package.module:Class"),
        (values.percent, "101", "a number from 0 to 100"),
        (values.percent, "nan", "a number from 0 to 100"),
        (values.percent, "all", "a number from 0 to 100"),
        (values.yes_or_no, "on", "yes or no"),
        (values.trace_endpoint, "127.0.0.1:4318", "must be a URL"),
        (values.trace_endpoint, "grpc://127.0.0.1:4317", "must be a URL"),
    ],
)
def test_bad_values_say_what_is_allowed(parse: Callable[[str], object], text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


def test_auto_is_the_number_of_usable_cores() -> None:
    assert 1 <= values.workers("auto") <= values.MAX_WORKERS


def test_traces_need_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"gproxy\[otel\]"):
        values.trace_endpoint("http://127.0.0.1:4318/v1/traces")
