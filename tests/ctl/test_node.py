import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.ctl.node import BadAddress, Node, NodeError


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers every question with its path, but /no with 404 and /odd with what is no JSON."""

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/no" else 200)
        self.end_headers()
        self.wfile.write(b"?" if self.path == "/odd" else b'{"path": "%b"}' % self.path.encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(400 if "wrong" in asked else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"error": "it is wrong"} if "wrong" in asked else {"asked": asked}).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class UnixServer(http.server.HTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "", 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        return self.socket.accept()[0], ("", 0)


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "socket")
    is_tcp = request.param == "tcp"
    server = http.server.HTTPServer(("127.0.0.1", 0), Answers) if is_tcp else UnixServer(path, Answers)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}" if is_tcp else f"unix:{path}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_question_is_answered(address: str) -> None:
    assert Node(address).ask("/stats?x=1") == {"path": "/stats?x=1"}
    if not address.startswith("unix:"):
        assert Node(f"http://{address}").ask("/a") == {"path": "/a"}


@pytest.mark.parametrize(("path", "reason"), [("/no", "answered 404"), ("/odd", "cannot ask the node")])
def test_no_answer_is_said_in_one_line(address: str, path: str, reason: str) -> None:
    with pytest.raises(NodeError, match=reason) as caught:
        Node(address).ask(path)
    assert "\n" not in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(NodeError, match=r"cannot ask the node at 127\.0\.0\.1:1: Connection refused"):
        Node("127.0.0.1:1").ask("/")


@pytest.mark.parametrize("address", ["here", "https://a:1", "a:b", "a:99999", "ftp://a:1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(BadAddress, match="a control endpoint is host:port"):
        Node(address)


def test_a_question_may_have_a_body(address: str) -> None:
    assert Node(address).ask("/explain", question={"url": "/"}) == {"asked": {"url": "/"}}
    with pytest.raises(NodeError, match="answered 400 Bad Request: it is wrong"):
        Node(address).ask("/explain", question={"wrong": 1})
