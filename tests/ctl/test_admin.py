import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gproxy.ctl.admin import Admin, AdminError
from gproxy.ctl.node import BadAddress, NodeError
from gproxy.store.edit import Rejected
from scripts.processes import free_ports
from tests.ctl.admins import admin_with_token
from tests.gadmin.fleet.nodes import FakeNode, fake_node
from tests.harness.certificates import Certificates

Asked = tuple[Admin, FakeNode]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("admin")
    with fake_node("n1") as node, admin_with_token(folder, settings={"fleet": {"nodes": node.address}}) as (run, token):
        yield Admin(run.url + "/", token), node


def test_answers_come_with_their_revision(asked: Asked) -> None:
    admin, _ = asked
    told, tag = admin.call("PUT", "/servers/u1", {"comment": "a b", "wait": None}, {"address": "a:1"})
    assert told["summary"] == "1 added"
    assert admin.call("GET", "/servers/u1")[1] == tag != ""


def test_problems_become_exceptions(asked: Asked) -> None:
    admin, _ = asked
    with pytest.raises(Rejected) as rejected:
        admin.call("PUT", "/servers/u2", body={"address": "nowhere", "weight": -1})
    assert [problem.path for problem in rejected.value.problems] == ["servers[u2].address", "servers[u2].weight"]
    with pytest.raises(AdminError, match="There is no server none") as missing:
        admin.call("GET", "/servers/none")
    assert missing.value.code == "not_found"
    with pytest.raises(AdminError, match="This token is not valid"):
        Admin(admin.url, "wrong").call("GET", "/servers")
    with pytest.raises(AdminError, match="wants a token, from --token-file or"):
        Admin(admin.url, "").call("GET", "/servers")


def test_a_node_is_asked_through_it(asked: Asked) -> None:
    admin, node = asked
    assert admin.node(None).ask("/stats?history=none")["node"] == "n1"
    assert "/stats?history=none" in node.asked
    assert admin.node(node.address).ask("/events")["last"] == 0
    with pytest.raises(AdminError, match=f"there is no node n9; known nodes: {node.address}"):
        admin.node("n9")
    with pytest.raises(NodeError):
        admin.node(None).ask("/health")


@pytest.mark.parametrize("body", [b"<html>", b'{"error": "no such page"}', b"[]"])
def test_something_else_is_no_admin(body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(AdminError, match="is not an admin"):
            Admin(f"http://127.0.0.1:{server.server_port}", "token").call("GET", "/servers")


def test_nobody_there_is_one_line() -> None:
    (port,) = free_ports(1)
    with pytest.raises(AdminError, match=r"cannot ask the admin at .*refused"):
        Admin(f"http://127.0.0.1:{port}", "").call("GET", "/servers")


@pytest.mark.parametrize("url", ["127.0.0.1:9901", "ftp://a", "http://", "http://a:b", "http://u:p@a", "http://a/?x"])
def test_what_is_no_url_of_an_admin(url: str) -> None:
    with pytest.raises(BadAddress, match="an admin is http://host:port"):
        Admin(url, "")


def test_https_is_checked(tmp_path: Path) -> None:
    certificates = Certificates.create(tmp_path)
    cert_file, key_file = certificates.client(tmp_path, "localhost")
    settings = {"gadmin": {"cert_file": cert_file, "key_file": key_file}}
    with admin_with_token(tmp_path, settings=settings) as (run, token):
        url = f"https://localhost:{run.port}"
        assert Admin(url, token, str(certificates.ca_file)).call("GET", "/servers")[0]["total"] == 0
        with pytest.raises(AdminError, match="certificate"):
            Admin(url, token).call("GET", "/servers")
