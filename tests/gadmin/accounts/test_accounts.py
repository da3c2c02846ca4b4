from collections.abc import Iterator
from pathlib import Path

import pytest

from gadmin.accounts import passwords
from gadmin.accounts.accounts import FIRST_USER, AccountError, Accounts
from gadmin.accounts.roles import Role


class Clock:
    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Iterator[Accounts]:
    made = Accounts(f"sqlite:///{tmp_path}/accounts.db", session_s=3600, clock=clock)
    made.begin()
    yield made
    made.follower.stop()


def test_the_first_user_is_an_admin_whose_password_is_told_once(tmp_path: Path, clock: Clock) -> None:
    accounts = Accounts(f"sqlite:///{tmp_path}/accounts.db", 3600, clock=clock)
    password = accounts.begin()
    assert password is not None
    user = accounts.directory.users[FIRST_USER]
    assert (user.rank, user.must_change) == (Role.ADMIN, True)
    assert passwords.is_right(user.password, password)
    accounts.follower.stop()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert password.encode() not in kept


def test_a_session_ends_when_its_time_is_over_or_its_user_leaves(accounts: Accounts, clock: Clock) -> None:
    user = accounts.directory.users[FIRST_USER]
    secret, other = (accounts.log_in(user, "192.0.2.1", "browser") for _ in range(2))
    found = accounts.by_session(secret)
    assert found is not None
    assert (found.user.name, found.role, found.is_token) == (FIRST_USER, Role.ADMIN, False)
    assert accounts.by_session(secret + "x") is None
    accounts.log_out(found)
    assert accounts.by_session(secret) is None
    assert accounts.by_session(other) is not None
    clock.now_s += 3601
    assert accounts.by_session(other) is None
    accounts.log_in(user, "192.0.2.1", "browser")
    assert len(accounts.directory.sessions) == 1, "what is over is taken away"


def test_secrets_are_kept_as_hashes(accounts: Accounts, tmp_path: Path) -> None:
    user = accounts.directory.users[FIRST_USER]
    secret = accounts.log_in(user, "192.0.2.1", "browser")
    token = accounts.create_token(user, "ci", Role.EDITOR, 0, "admin")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert secret.encode() not in kept
    assert token.split("_", 2)[2].encode() not in kept


def test_a_token_is_good_until_it_ends(accounts: Accounts, clock: Clock) -> None:
    user = accounts.directory.users[FIRST_USER]
    token = accounts.create_token(user, "ci", Role.EDITOR, 30, "admin")
    found = accounts.by_token(token)
    assert found is not None
    assert (found.role, found.is_token) == (Role.EDITOR, True)
    for wrong in ("", "gpt", token[:-1], token.replace("gpt", "x"), f"gpt_{found.key}_", "gpt_none_x"):
        assert accounts.by_token(wrong) is None
    assert accounts.expired_token(token) is None
    clock.now_s += 31 * 86_400
    assert accounts.by_token(token) is None
    assert accounts.expired_token(token) is not None
    assert accounts.expired_token(token[:-1]) is None
    endless = accounts.create_token(user, "ci", Role.VIEWER, 0, "admin")
    assert accounts.by_token(endless) is not None
    accounts.delete_token(endless.split("_")[1], "admin")
    assert accounts.by_token(endless) is None


def test_a_user_with_less_rights_has_tokens_with_less_rights(accounts: Accounts) -> None:
    accounts.create_user("bob", Role.EDITOR, "admin")
    bob = accounts.directory.users["bob"]
    token = accounts.create_token(bob, "", Role.EDITOR, 0, "bob")
    with pytest.raises(AccountError, match="bob is only editor"):
        accounts.create_token(bob, "", Role.ADMIN, 0, "bob")
    accounts.change_user("bob", "admin", Role.VIEWER, is_disabled=False)
    found = accounts.by_token(token)
    assert found is not None
    assert found.role is Role.VIEWER


def test_disabling_ends_everything_at_once(accounts: Accounts) -> None:
    accounts.create_user("bob", Role.EDITOR, "admin")
    bob = accounts.directory.users["bob"]
    secret, token = accounts.log_in(bob, "", ""), accounts.create_token(bob, "", Role.VIEWER, 0, "bob")
    accounts.change_user("bob", "admin", Role.EDITOR, is_disabled=True)
    assert accounts.by_session(secret) is None
    assert accounts.by_token(token) is None


def test_deleting_leaves_nothing_behind(accounts: Accounts) -> None:
    accounts.create_user("bob", Role.EDITOR, "admin")
    bob = accounts.directory.users["bob"]
    accounts.log_in(bob, "", "")
    accounts.create_token(bob, "", Role.VIEWER, 0, "bob")
    accounts.delete_user("bob", "admin")
    directory = accounts.directory
    assert "bob" not in directory.users
    assert directory.sessions_of("bob") == {}
    assert directory.tokens_of("bob") == []
    assert accounts.history(1)[0].comment == "removed bob"


def test_somebody_remains_who_is_admin(accounts: Accounts) -> None:
    for change in (
        lambda: accounts.change_user(FIRST_USER, "x", Role.EDITOR, is_disabled=False),
        lambda: accounts.change_user(FIRST_USER, "x", Role.ADMIN, is_disabled=True),
        lambda: accounts.delete_user(FIRST_USER, "x"),
    ):
        with pytest.raises(AccountError, match="somebody must remain"):
            change()


def test_a_new_password_ends_the_other_sessions(accounts: Accounts) -> None:
    user = accounts.directory.users[FIRST_USER]
    mine, other = accounts.log_in(user, "", ""), accounts.log_in(user, "", "")
    me = accounts.by_session(mine)
    assert me is not None
    accounts.set_password(FIRST_USER, "a better password", FIRST_USER, keep=me.key)
    assert accounts.by_session(mine) is not None
    assert accounts.by_session(other) is None
    changed = accounts.directory.users[FIRST_USER]
    assert passwords.is_right(changed.password, "a better password")
    assert not changed.must_change
    with pytest.raises(AccountError, match="at least"):
        accounts.set_password(FIRST_USER, "short", FIRST_USER)
    assert passwords.is_right(accounts.directory.users[FIRST_USER].password, "a better password"), (
        "a refused one changes nothing"
    )


def test_changes_at_the_same_time_lose_nothing(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """While bob chooses a password, he is disabled: that takes as long as a hash, and everybody knows the old state."""
    accounts.create_user("bob", Role.EDITOR, "admin")

    def hashed(password: str) -> str:
        accounts.change_user("bob", "admin", Role.VIEWER, is_disabled=True)
        return f"hash of {password}"

    monkeypatch.setattr(passwords, "hashed", hashed)
    accounts.set_password("bob", "a better password", "bob")
    bob = accounts.directory.users["bob"]
    assert (bob.password, bob.rank, bob.is_disabled) == ("hash of a better password", Role.VIEWER, True)


def test_what_an_admin_follows_late_does_not_decide(
    accounts: Accounts, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.create_user("bob", Role.ADMIN, "admin")
    late = Accounts(f"sqlite:///{tmp_path}/accounts.db", 3600, clock=clock)
    late.begin()
    ada, bob = late.directory.users[FIRST_USER], late.directory.users["bob"]
    late.follower.stop()
    monkeypatch.setattr(late.follower, "wait_for", lambda revision: True)
    accounts.change_user("bob", "admin", Role.EDITOR, is_disabled=False)
    with pytest.raises(AccountError, match="somebody must remain"):
        late.delete_user(FIRST_USER, "bob")
    with pytest.raises(AccountError, match="bob is only editor"):
        late.create_token(bob, "", Role.ADMIN, 0, "bob")
    accounts.set_password(FIRST_USER, "a better password", FIRST_USER)
    with pytest.raises(AccountError, match="has just been changed"):
        late.log_in(ada, "192.0.2.1", "browser")


def test_nobody_else_can_read_the_files_of_an_embedded_store(accounts: Accounts, tmp_path: Path) -> None:
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {"accounts.db", "accounts.db-wal"} <= files.keys()
    assert set(files.values()) == {0o600}


def test_a_forgotten_password_is_made_anew(accounts: Accounts) -> None:
    password = accounts.reset_password(FIRST_USER, "gadmin")
    user = accounts.directory.users[FIRST_USER]
    assert passwords.is_right(user.password, password)
    assert user.must_change
    with pytest.raises(AccountError, match="there is no user bob"):
        accounts.reset_password("bob", "gadmin")


@pytest.mark.parametrize(("name", "problem"), [("admin", "there is a user admin already"), ("a b", "must be 1 to 128")])
def test_names_that_cannot_be(accounts: Accounts, name: str, problem: str) -> None:
    with pytest.raises(AccountError, match=problem) as caught:
        accounts.create_user(name, Role.VIEWER, "admin")
    assert caught.value.field == "name"


def test_a_lock_is_shared_by_all_admins(accounts: Accounts, tmp_path: Path, clock: Clock) -> None:
    other = Accounts(f"sqlite:///{tmp_path}/accounts.db", 3600, clock=clock)
    other.begin()
    try:
        accounts.lock(FIRST_USER, 60)
        assert other.follower.wait_for(accounts.directory.revision)
        assert other.locked_s(FIRST_USER) == 60
        assert other.locked_s("bob") == 0
        clock.now_s += 61
        assert other.locked_s(FIRST_USER) == 0
    finally:
        other.follower.stop()


def test_all_admins_sign_cookies_with_the_same_key(accounts: Accounts, tmp_path: Path) -> None:
    other = Accounts(f"sqlite:///{tmp_path}/accounts.db", 3600)
    other.begin()
    try:
        assert len(accounts.cookie_key()) > 40
        assert other.cookie_key() == accounts.cookie_key()
    finally:
        other.follower.stop()
