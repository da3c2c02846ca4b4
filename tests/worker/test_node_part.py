"""What the servers of an aggregation are asked, and what their heads mean for the whole."""

from collections.abc import Callable

import pytest

from gproxy.core.http1 import split_fields
from tests.worker.aggregation import Answer, Kitchen, closes, says, whole
from tests.worker.stage import Stage

A, B = says(b'{"id": 7, "tags": ["x/y", 2.50], "no": 12345678901234567890123, "none": null}'), says(b"2")


def request(method: bytes, body: bytes = b"", *lines: bytes, target: bytes = b"/u/7?q=1") -> bytes:
    length = (b"Content-Length: %d" % len(body),) if body else ()
    block = b"".join(line + b"\r\n" for line in (b"Host: a.test", *lines, *length))
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, block, body)


def line(answer: Answer, attr: str) -> bytes:
    """Return the request line that the server of a node got."""
    ((head, _),) = answer.got[attr]
    return head.partition(b" HTTP/1.1\r\n")[0]


def fields(answer: Answer, attr: str) -> dict[bytes, bytes]:
    ((head, _),) = answer.got[attr]
    return {name.lower(): value for name, value in split_fields(head.partition(b"\r\n")[2][:-2])}


# -- targets ---------------------------------------------------------------------------------------------------------


def test_without_a_rewrite_every_node_gets_the_target_of_the_client(stage: Stage) -> None:
    answer = whole(stage, {"a": A, "b": B})
    assert line(answer, "a") == line(answer, "b") == b"GET /u/7?q=1"


def test_a_rewrite_of_the_api_is_for_the_nodes_without_one(stage: Stage) -> None:
    answer = whole(stage, {"a": A, "b": B}, {"b": {"rewrite": "/own"}}, rewrite="/all?{query}")
    assert (line(answer, "a"), line(answer, "b")) == (b"GET /all?q=1", b"GET /own")


@pytest.mark.parametrize(
    ("rewrite", "target"),
    [
        ("/x/{a.id}", b"/x/7"),
        ("/x/{a.tags.0}", b"/x/x%2Fy"),
        ("/x?n={a.tags.1}&no={a.no}", b"/x?n=2.50&no=12345678901234567890123"),
        ("/x/{a.none|0}/{a.tags|list}/{a.nobody.at.all|no}", b"/x/0/list/no"),
        ("/x/{query.q}/{a.id}", b"/x/1/7"),
    ],
)
def test_a_later_batch_uses_values_of_earlier_parts(stage: Stage, rewrite: str, target: bytes) -> None:
    answer = whole(stage, {"a": A, "b": B}, {"b": {"batch": 1, "rewrite": rewrite}})
    assert line(answer, "b") == b"GET " + target


def test_values_of_a_part_are_those_that_the_client_gets(stage: Stage) -> None:
    more = {"a": {"rename": {"id": "user"}}, "b": {"batch": 1, "rewrite": "/{a.user}/{a.id|gone}"}}
    assert line(whole(stage, {"a": A, "b": B}, more), "b") == b"GET /7/gone"


def test_a_stand_in_has_values_too(stage: Stage) -> None:
    more = {"a": {"default": {"id": 0}}, "b": {"batch": 1, "rewrite": "/{a.id}"}}
    answer = whole(stage, {"a": closes, "b": B}, more, merge={"on_failure": "partial"})
    assert line(answer, "b") == b"GET /0"
    assert answer.json() == {"a": {"id": 0}, "b": 2}


def test_what_needs_a_part_that_failed_fails_with_it(stage: Stage) -> None:
    more = {"b": {"batch": 1, "rewrite": "/{a.id}"}}
    answer = whole(stage, {"a": says(b"gone", status=410), "b": B}, more, merge={"on_failure": "partial"})
    assert answer.parts == ["a;status=410", "b;status=410"]
    assert answer.json() == {"a": None, "b": None}
    assert answer.got["b"] == []


@pytest.mark.parametrize(("first", "status"), [(says(b"gone", status=410), 410), (closes, 502)])
def test_a_needed_part_that_cannot_be_asked_fails_the_whole_with_the_first_failure(
    stage: Stage, first: bytes, status: int
) -> None:
    more = {"b": {"batch": 1, "rewrite": "/{a.id}", "required": True}}
    answer = whole(stage, {"a": first, "b": B}, more, merge={"on_failure": "partial"})
    assert answer.status == status
    assert answer.completed == ["false"]


def test_what_can_do_without_a_failed_part_does(stage: Stage) -> None:
    more = {"b": {"batch": 1, "rewrite": "/{a.id|7}"}}
    answer = whole(stage, {"a": closes, "b": B}, more, merge={"on_failure": "partial"})
    assert answer.json() == {"a": None, "b": 2}


def test_three_batches(stage: Stage) -> None:
    more = {
        "c": {"batch": 2, "rewrite": "/{b.n}/{a.id}"},
        "b": {"batch": 1, "rewrite": "/{a.id}"},
    }
    answer = whole(stage, {"c": says(b"3"), "b": says(b'{"n": "y"}'), "a": says(b'{"id": 1}')}, more)
    assert line(answer, "c") == b"GET /y/1"
    assert answer.body == b'{"c":3,"b":{"n": "y"},"a":{"id": 1}}'


# -- methods, fields and bodies --------------------------------------------------------------------------------------


def test_head_is_asked_for_as_get(stage: Stage) -> None:
    with Kitchen(stage, {"a": A}) as kitchen:
        bodiless, full = kitchen.ask(request(b"HEAD")), kitchen.ask(request(b"GET"))
    assert [head.split(b" ")[0] for head, _ in full.got["a"]] == [b"GET", b"GET"]
    assert bodiless.values("content-length") == full.values("content-length") == [str(len(full.body))]


def test_the_body_reaches_the_nodes_whose_method_takes_one(stage: Stage) -> None:
    more = {"b": {"method": "GET"}, "c": {"method": "PUT"}, "d": {"method": "DELETE"}}
    answer = whole(stage, {"a": A, "b": B, "c": B, "d": B}, more, request(b"POST", b"hello", b"Content-Type: text/x"))
    assert [answer.got[attr][0][1] for attr in "abcd"] == [b"hello", b"", b"hello", b""]
    assert [line(answer, attr).split()[0] for attr in "abcd"] == [b"POST", b"GET", b"PUT", b"DELETE"]
    assert [fields(answer, attr).get(b"content-type") for attr in "abcd"] == [b"text/x", None, b"text/x", None]
    assert [fields(answer, attr).get(b"content-length") for attr in "abcd"] == [b"5", None, b"5", None]


def test_a_chunked_body_with_expectation_is_read_once(stage: Stage) -> None:
    lines = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = whole(stage, {"a": A, "b": B}, request=b"POST / HTTP/1.1\r\n%b3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" % lines)
    assert [answer.got[attr][0][1] for attr in "ab"] == [b"hello", b"hello"]


def test_a_post_of_the_nodes_own_says_that_it_has_no_body(stage: Stage) -> None:
    answer = whole(stage, {"a": A}, {"a": {"method": "POST"}})
    assert fields(answer, "a")[b"content-length"] == b"0"


def test_a_body_that_is_too_large(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"buffered_body_bytes": 4})
    answer = whole(stage, {"a": A}, request=request(b"POST", b"hello"))
    assert (answer.status, answer.json()["code"], answer.got["a"]) == (413, "body_too_large", [])


def test_the_fields_of_the_client_reach_all_nodes(stage: Stage) -> None:
    answer = whole(stage, {"a": A, "b": B}, request=request(b"GET", b"", b"Authorization: x", b"Cookie: c=1"))
    for attr in "ab":
        got = fields(answer, attr)
        assert (got[b"authorization"], got[b"cookie"], got[b"host"]) == (b"x", b"c=1", b"a.test")
        assert got[b"x-forwarded-for"] == b"127.0.0.1"
        assert got[b"x-request-id"].decode() == answer.values("x-request-id")[0]


def test_conditions_ranges_and_codings_are_about_the_whole(stage: Stage) -> None:
    lines = (
        b'If-None-Match: "a"',
        b"If-Modified-Since: x",
        b"Range: bytes=0-1",
        b"If-Range: x",
        b"Accept-Encoding: br",
    )
    answer = whole(stage, {"a": A}, request=request(b"GET", b"", *lines))
    got = fields(answer, "a")
    assert got[b"accept-encoding"] == b"identity"
    assert not got.keys() & {b"if-none-match", b"if-modified-since", b"range", b"if-range"}
    assert answer.status == 200


def test_edits_of_the_api_are_for_all_requests_and_the_whole(stage: Stage) -> None:
    edits = {
        "request_headers": {"set": {"X-In": "1"}, "remove": ["Cookie"]},
        "response_headers": {"set": {"X-Out": "2"}},
    }
    answer = whole(stage, {"a": A, "b": B}, request=request(b"GET", b"", b"Cookie: c=1", b"Range: bytes=0-1"), **edits)
    for attr in "ab":
        assert fields(answer, attr)[b"x-in"] == b"1"
        assert not fields(answer, attr).keys() & {b"cookie", b"range"}
    assert answer.values("x-out") == ["2"]


def test_edits_of_the_api_are_for_a_failure_that_passes_too(stage: Stage) -> None:
    answer = whole(stage, {"a": says(b"no", b"X-Own: 1", status=404)}, response_headers={"remove": ["X-Own"]})
    assert (answer.status, answer.values("x-own"), answer.values("content-length")) == (404, [], ["2"])


# -- heads of the parts ----------------------------------------------------------------------------------------------


def test_cookies_of_all_parts(stage: Stage) -> None:
    a = says(b"1", b"Set-Cookie: a=1", b"Set-Cookie: b=2; Path=/")
    answer = whole(stage, {"x": a, "y": says(b"2", b"set-cookie: a=3")})
    assert answer.values("set-cookie") == ["a=1", "b=2; Path=/", "a=3"]


def test_cookies_of_those_that_came(stage: Stage) -> None:
    failing = says(b"1", b"Set-Cookie: a=1", status=500)
    answer = whole(stage, {"x": failing, "y": says(b"2", b"Set-Cookie: b=1")}, merge={"on_failure": "partial"})
    assert answer.values("set-cookie") == ["b=1"]


def test_a_sticky_cookie_of_a_cluster_is_set(stage: Stage) -> None:
    with Kitchen(stage, {"a": A}) as kitchen:
        servers = [{"name": "a", "address": kitchen.backends["a"].address}]
        cluster = {"name": "a", "servers": ["a"], "sticky_cookie": "s"}
        api = {"name": "whole", "path": "/*", "nodes": [{"cluster": "a", "attr": "a"}]}
        stage.use(servers, [cluster], [api])
        (cookie,) = kitchen.ask().values("set-cookie")
        again = kitchen.ask(request(b"GET", b"", b"Cookie: " + cookie.partition(";")[0].encode()))
    assert cookie.startswith("s=")
    assert again.values("set-cookie") == []


CACHED = (b"Cache-Control: max-age=60", b'ETag: "x"', b"Last-Modified: y", b"Expires: z", b"Age: 10", b"X-Own: 1")


def test_how_long_a_complete_whole_may_be_stored(stage: Stage) -> None:
    answer = whole(stage, {"a": says(b"1", *CACHED), "b": says(b"2", b"Cache-Control: max-age=90", b"Vary: Cookie")})
    assert (answer.values("cache-control"), answer.values("vary")) == (["max-age=50"], ["cookie"])
    for name in ("etag", "last-modified", "expires", "age", "x-own", "server"):
        assert answer.values(name) == []


def test_what_is_incomplete_says_nothing_about_storing(stage: Stage) -> None:
    answer = whole(stage, {"a": says(b"1", *CACHED), "b": closes}, merge={"on_failure": "partial"})
    for name in ("cache-control", "etag", "last-modified", "expires", "age"):
        assert answer.values(name) == []


def test_a_default_does_not_make_the_whole_storable(stage: Stage) -> None:
    more = {"b": {"default": 0}}
    answer = whole(stage, {"a": says(b"1", *CACHED), "b": closes}, more, merge={"on_failure": "default"})
    assert (answer.completed, answer.values("cache-control")) == (["true"], [])


def test_the_head_of_a_failure_that_passes_is_the_servers(stage: Stage) -> None:
    failing = says(b"no", b"Retry-After: 7", b"Set-Cookie: f=1", b"Content-Type: text/x", status=503)
    answer = whole(stage, {"a": failing, "b": says(b"2", b"Set-Cookie: b=1")})
    assert answer.values("retry-after") == ["7"]
    assert answer.values("set-cookie") == ["f=1"]
    assert (answer.values("content-type"), answer.values("content-length")) == (["text/x"], ["2"])
