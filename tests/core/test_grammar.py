from collections.abc import Callable

import pytest

from gproxy.core import grammar


@pytest.mark.parametrize(
    ("check", "text", "stored"),
    [
        (grammar.name, "a", "a"),
        (grammar.name, "users-v2.1_b:80", "users-v2.1_b:80"),
        (grammar.address, "127.0.0.1:9001", "127.0.0.1:9001"),
        (grammar.address, "users.example.com:80", "users.example.com:80"),
        (grammar.address, "my_host:65535", "my_host:65535"),
        (grammar.address, "[::1]:80", "[::1]:80"),
        (grammar.address, "unix:/run/app.sock", "unix:/run/app.sock"),
        (grammar.host_pattern, "WWW.Example.com", "www.example.com"),
        (grammar.host_pattern, "*.Example.com", "*.example.com"),
        (grammar.host_pattern, "10.0.0.1", "10.0.0.1"),
        (grammar.host_pattern, "[::1]", "[::1]"),
        (grammar.server_name, "Backend.Example.com", "backend.example.com"),
        (grammar.method, "get", "GET"),
        (grammar.method, "PURGE", "PURGE"),
        (grammar.header_name, "X-Trace", "X-Trace"),
        (grammar.check_header_name, "Host", "Host"),
        (grammar.target, "/up?deep=1&x=%20", "/up?deep=1&x=%20"),
        (grammar.header_value, "", ""),
        (grammar.header_value, "caf\u00e9, a\tb", "caf\u00e9, a\tb"),
        (grammar.file_name, "/etc/tls/ca.pem", "/etc/tls/ca.pem"),
    ],
)
def test_accepted(check: Callable[[str], str], text: str, stored: str) -> None:
    assert check(text) == stored


@pytest.mark.parametrize(
    ("check", "text", "reason"),
    [
        (grammar.name, "", "1 to 128"),
        (grammar.name, "a" * 129, "1 to 128"),
        (grammar.name, "a/b", "1 to 128"),
        (grammar.name, "a\n", "1 to 128"),
        (grammar.address, "localhost", "host:port"),
        (grammar.address, ":80", "host:port"),
        (grammar.address, "a:0", "host:port"),
        (grammar.address, "a:65536", "host:port"),
        (grammar.address, "a:\u0663", "host:port"),
        (grammar.address, "::1:80", r"\[::1\]:80"),
        (grammar.address, "[::1:80", "not an IPv6 address"),
        (grammar.address, "[10.0.0.1]:80", "not an IPv6 address"),
        (grammar.address, "10.0.0.256:80", "neither a host name nor"),
        (grammar.address, "http://a:80", "IPv6"),
        (grammar.address, "-a:80", "neither a host name nor"),
        (grammar.address, "a b:80", "neither a host name nor"),
        (grammar.address, "unix:run/app.sock", "absolute path"),
        (grammar.address, "unix:/" + "a" * 107, "107"),
        (grammar.host_pattern, "*", "leave hosts out"),
        (grammar.host_pattern, "a.*", "must be a host name"),
        (grammar.host_pattern, "example.com:80", "without scheme and port"),
        (grammar.host_pattern, "b\u00fccher.de", "xn--"),
        (grammar.server_name, "*.example.com", "must be a host name"),
        (grammar.method, "GET /", "not an HTTP method"),
        (grammar.method, "CONNECT", "not proxied"),
        (grammar.header_name, "X Y", "not a header name"),
        (grammar.header_name, "X:", "not a header name"),
        (grammar.header_name, "Content-Length", "belongs to the connection"),
        (grammar.header_name, "transfer-encoding", "belongs to the connection"),
        (grammar.header_name, "HOST", "preserve_host"),
        (grammar.check_header_name, "Content-Length", "belongs to the connection"),
        (grammar.target, "up", "absolute path"),
        (grammar.target, "//a/up", "absolute path"),
        (grammar.target, "/a b", "absolute path"),
        (grammar.target, "/a#b", "absolute path"),
        (grammar.target, "/\u00e9", "absolute path"),
        (grammar.target, "/a\r\n", "absolute path"),
        (grammar.header_value, "a\r\nX: b", "line breaks"),
        (grammar.header_value, "a\x00", "control"),
        (grammar.header_value, " a", "blank"),
        (grammar.file_name, "ca.pem", "absolute"),
    ],
)
def test_refused(check: Callable[[str], str], text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check(text)


def test_nothing_is_listed_twice() -> None:
    assert grammar.unique(("a", "b")) == ("a", "b")
    with pytest.raises(ValueError, match='"a" is listed twice'):
        grammar.unique(("a", "b", "a"))
