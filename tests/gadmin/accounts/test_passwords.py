import re
import threading

import pytest

from gadmin.accounts import passwords


def test_a_password_is_told_from_all_others() -> None:
    stored = passwords.hashed("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct" not in stored
    assert passwords.is_right(stored, "correct horse")
    for wrong in ("", "correct hors", "correct horse "):
        assert not passwords.is_right(stored, wrong)


def test_nobody_has_no_password() -> None:
    assert not passwords.is_right(None, "")
    assert not passwords.is_right("no hash", "x")


def test_generated_ones_are_long_and_differ() -> None:
    some = {passwords.generated() for _ in range(50)}
    assert len(some) == 50
    assert all(re.fullmatch(r"([A-Za-z2-9]{5}-){3}[A-Za-z2-9]{5}", one) for one in some)
    assert all(passwords.weakness(one) is None for one in some)


@pytest.mark.parametrize(
    ("password", "problem"),
    [("short", "at least 10"), ("x" * 201, "at most 200"), ("aaaaaaaaaab", "uniform"), ("long enough one", None)],
)
def test_weak_ones_are_told(password: str, problem: str | None) -> None:
    found = passwords.weakness(password)
    assert found is None if problem is None else problem in str(found)


def test_only_some_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "TURN_S", 0.01)
    monkeypatch.setattr(passwords, "_turns", threading.BoundedSemaphore(1))
    with passwords._Turn(), pytest.raises(passwords.Busy):
        passwords.hashed("another one")
    assert passwords.hashed("another one"), "the place was given back"
