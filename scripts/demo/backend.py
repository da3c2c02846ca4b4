"""A small JSON service over keep-alive HTTP/1.1: users, orders, and a look at the request as it arrived.

Run as a program: python -m scripts.demo.backend NAME PORT. Every answer names its server in X-Served-By.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

USERS = {
    1: {"id": 1, "name": "Ada Lovelace", "email": "ada@example.com"},
    2: {"id": 2, "name": "Alan Turing", "email": "alan@example.com"},
    3: {"id": 3, "name": "Grace Hopper", "email": "grace@example.com"},
}
ORDERS = {
    7: {"id": 7, "user": 1, "state": "open", "items": ["pencil", "paper"]},
    8: {"id": 8, "user": 3, "state": "sent", "items": ["compiler"]},
}
MAX_SLOW_MS = 10_000


class NotFoundError(Exception):
    """There is nothing at this path."""


def answer(method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
    """Return (status, JSON value) for a request.

    Raises NotFoundError for an unknown path, ValueError or TypeError for a body that is not a JSON object.
    """
    url = urlsplit(target)
    parts = url.path.strip("/").split("/")
    match ("GET" if method == "HEAD" else method, parts):
        case ("GET", ["users"]):
            return 200, list(USERS.values())
        case ("GET", ["users", number]) if number.isdigit() and int(number) in USERS:
            return 200, USERS[int(number)]
        case ("GET", ["orders"]):
            return 200, list(ORDERS.values())
        case ("GET", ["orders", number]) if number.isdigit() and int(number) in ORDERS:
            return 200, ORDERS[int(number)]
        case ("POST", ["orders"]):  # nothing is kept: both servers must go on saying the same
            return 201, {"id": 9, "state": "open", **dict(json.loads(body))}
        case (_, ["headers"]):
            return 200, {"method": method, "target": target, "headers": headers, "body_bytes": len(body)}
        case ("GET", ["slow"]):
            wait_ms = min(int(parse_qs(url.query).get("ms", ["1000"])[0]), MAX_SLOW_MS)
            time.sleep(wait_ms / 1000)
            return 200, {"waited_ms": wait_ms}
    raise NotFoundError


class Handler(BaseHTTPRequestHandler):
    """Reads one request with Content-Length or chunked body, answers it, keeps the connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one piece
    server_name = "demo"

    def reply(self) -> None:
        """Answer whatever method was asked."""
        try:
            body = self.body()
            status, value = answer(self.command, self.path, dict(self.headers.items()), body)
        except NotFoundError:
            status, value = 404, {"error": f"the backend has nothing at {self.path}"}
        except (ValueError, TypeError) as error:
            status, value = 400, {"error": f"not a JSON object: {error}"}
        content = json.dumps(value, indent=2).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Served-By", self.server_name)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = reply

    def body(self) -> bytes:
        """Return the request body."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.chunks()
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def chunks(self) -> bytes:
        """Return a chunked body put together; extensions and trailers are passed over."""
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return content

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the demonstration prints what matters."""


def main(name: str, port: int) -> None:
    """Serve for ever on loopback."""
    Handler.server_name = name
    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
