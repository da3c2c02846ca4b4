from gadmin.forms.form import Form
from gadmin.forms.spec import spec
from gproxy.core.problem import Problem
from gproxy.core.schema import check

API = {"name": "a", "path": "/x", "nodes": [{"cluster": "c"}], "rate_limit": {"rate": 5}, "tags": ["q", "r"]}


def test_problems_stand_beside_their_inputs() -> None:
    texts = {**Form.of("api", API).texts, "rate_limit.rate": "abc", "nodes[0].cluster": "zz", "tags": "ok\nb d"}
    form = Form.posted("api", texts)
    shown = form.with_problems("a", check({"api": {"a": form.document()}}).problems)
    assert shown.problems == {
        "rate_limit.rate": ['must be a whole number, not "abc"'],
        "nodes[0].cluster": ['there is no cluster "zz"'],
        "tags": ['"b d": must be 1 to 128 letters, digits or any of . _ : -'],
    }
    assert shown.texts == texts, "what was typed is still there"
    assert shown.has_problems("rate_limit")
    assert not shown.has_problems("queue")


def test_problems_of_pairs_and_of_no_input() -> None:
    texts = {**Form.of("api", API).texts, "request_headers.set[4].key": "Host", "request_headers.set[4].value": "x"}
    form = Form.posted("api", texts)
    problems = [
        *check({"cluster": {"c": {"name": "c"}}, "api": {"a": form.document()}}).problems,
        Problem("apis[a]", "is wrong as a whole"),
        Problem("servers[u1].health_check", "differs"),
        Problem("apis[ab].path", "is not ours"),
    ]
    shown = form.with_problems("a", problems)
    assert list(shown.problems) == ["request_headers.set", ""]
    assert shown.problems[""] == [
        "is wrong as a whole",
        "servers[u1].health_check: differs",
        "apis[ab].path: is not ours",
    ]


def test_rows_come_and_go_without_touching_the_others() -> None:
    form = Form.of("api", {**API, "nodes": [{"cluster": "c"}, {"cluster": "d"}]})
    more = form.changed_rows("nodes", "")
    assert more.rows("nodes") == [0, 1, 2]
    assert more.is_fresh("nodes[2]")
    assert not more.is_fresh("nodes[1]")
    less = more.changed_rows("", "nodes[0]")
    assert less.rows("nodes") == [1, 2]
    assert [node.get("cluster") for node in less.document()["nodes"]] == ["d", None]


def test_a_problem_finds_its_row_though_earlier_ones_are_gone() -> None:
    form = Form.of("api", {**API, "nodes": [{"cluster": "c"}, {"cluster": "d"}]}).changed_rows("", "nodes[0]")
    assert form.place("nodes[0].cluster") == ("nodes[1].cluster", "")
    assert form.place("nothing.here") == ("", "nothing.here")


def test_inputs_of_a_fresh_part_show_defaults_and_others_what_was_typed() -> None:
    (check_field,) = [field for field in spec("server") if field.name == "health_check"]
    interval = next(field for field in check_field.part if field.name == "interval_s")
    form = Form.posted("server", {"name": "x"})
    assert form.text(interval, "health_check.interval_s", is_fresh=True) == "5"
    assert form.text(interval, "health_check.interval_s", is_fresh=False) == ""


def test_a_part_is_open_when_it_says_more_than_defaults() -> None:
    (timeouts,) = [field for field in spec("api") if field.name == "timeouts"]
    assert not Form.of("api", API).is_set(timeouts, "timeouts")
    assert Form.of("api", {**API, "timeouts": {"total_s": 3.0}}).is_set(timeouts, "timeouts")


def test_only_the_name_of_a_server_may_be_left_empty() -> None:
    server, api = spec("server")[0], spec("api")[0]
    assert not Form.of("server", {}).is_needed(server, "name")
    assert Form.of("api", {}).is_needed(api, "name")
