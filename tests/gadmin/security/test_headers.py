from gadmin.security.headers import CONTENT_SECURITY_POLICY
from tests.gadmin.conftest import Visit, Visitor


def test_browsers_run_and_load_only_files_of_ours(viewer: Visitor, visit: Visit) -> None:
    for answer in (viewer.get("/"), visit().get("/login"), viewer.get("/api/v1/servers"), viewer.get("/nowhere")):
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer.headers
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_https_stays_https(viewer: Visitor) -> None:
    assert "max-age" in viewer.get("/login", base_url="https://localhost").headers["Strict-Transport-Security"]


def test_a_file_whose_address_changes_with_it_may_be_kept(visit: Visit) -> None:
    with visit().get("/static/css/base.css?v=1") as named, visit().get("/static/css/base.css") as plain:
        assert "immutable" in named.headers["Cache-Control"]
        assert "immutable" not in plain.headers.get("Cache-Control", "")
