from dataclasses import dataclass

from gproxy.core.sticky import Sticky, token


@dataclass(frozen=True)
class Server:
    name: str


@dataclass
class Request:
    cookie: bytes = b""
    target: bytes = b"/"

    def field(self, name: bytes) -> bytes:
        return self.cookie if name == b"cookie" else b""

    def client_ip(self) -> bytes:
        return b""


A, B = Server("a"), Server("b")
HEAD = b"HTTP/1.1 200 OK\r\n"


def sticky() -> Sticky[Server]:
    made = Sticky[Server].compiled("srv", "shop", [A, B])
    assert made is not None
    return made


def test_no_cookie_no_stickiness() -> None:
    assert Sticky[Server].compiled(None, "shop", [A]) is None


def test_a_client_that_brings_no_known_token_is_marked_and_found_again() -> None:
    made = sticky()
    for brought in (b"", b"srv=stale", b"srv=" + token("shop", "a")):
        head = made.mark(Request(brought), "b", HEAD)
        assert head == HEAD + b"Set-Cookie: srv=%b; Path=/; HttpOnly; SameSite=Lax\r\n" % token("shop", "b")
    assert made.server(Request(b"x=1; srv=" + token("shop", "b"))) is B


def test_a_client_that_has_the_token_is_not_marked_again() -> None:
    assert sticky().mark(Request(b"srv=" + token("shop", "b")), "b", HEAD) == HEAD


def test_unknown_tokens_mean_nobody() -> None:
    assert sticky().server(Request()) is None
    assert sticky().server(Request(b"srv=" + token("other", "a"))) is None


def test_a_token_says_nothing_and_stays_the_same() -> None:
    assert token("shop", "a") == token("shop", "a") != token("shop", "b")
    assert len(token("shop", "a")) == 16
    assert token("a", "b") != token("ab", "")
