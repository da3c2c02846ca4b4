from tests.gadmin.conftest import Visit, Visitor


def test_the_overview_counts_what_is_configured(viewer: Visitor, editor: Visitor) -> None:
    editor.call("PUT", "/servers/u1?comment=the first one", {"address": "a:1"})
    page = viewer.get("/").text
    assert 'href="/servers/"' in page
    assert "the first one" in page
    assert "a-editor" in page


def test_whoever_balances_admins_sees_that_it_answers(visit: Visit) -> None:
    answer = visit().get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
