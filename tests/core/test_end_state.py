import pytest

from gproxy.core.end_state import end_state


@pytest.mark.parametrize(
    ("code", "has_begun", "has_body", "phase", "expected"),
    [
        ("", True, True, "H", "--"),
        ("client_gone", True, True, "H", "CD"),
        ("client_gone", False, False, "H", "CR"),
        ("client_gone", False, True, "", "CR"),
        ("client_gone", False, True, "Q", "CQ"),
        ("client_gone", False, True, "C", "CC"),
        ("client_gone", False, True, "H", "CH"),
        ("request_timeout", True, False, "H", "cR"),
        ("bad_upstream", True, True, "C", "SC"),
        ("bad_upstream", True, True, "H", "SH"),
        ("bad_upstream", True, True, "", "SH"),
        ("upstream_timeout", True, True, "C", "sC"),
        ("upstream_timeout", True, True, "H", "sH"),
        ("response_broken", True, True, "H", "SD"),
        ("rate_limited", True, True, "", "RR"),
        ("overloaded", True, True, "Q", "RQ"),
        ("overloaded", True, True, "", "RR"),
        ("no_server", True, True, "", "DQ"),
        ("circuit_open", True, True, "", "DQ"),
        ("keys_unavailable", True, True, "", "DR"),
        ("bad_request", True, True, "", "PR"),
        ("no_route", True, True, "", "PR"),
        ("a_code_of_a_filter_of_the_user", True, True, "", "PR"),
        ("internal_error", True, True, "H", "IH"),
    ],
)
def test_states(code: str, has_begun: bool, has_body: bool, phase: str, expected: str) -> None:
    assert end_state(code, has_begun, has_body, phase) == expected
