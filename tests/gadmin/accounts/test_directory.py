import pytest

from gadmin.accounts.directory import Directory
from gadmin.accounts.documents import KEY, LOCK, SESSION, TOKEN, USER, Session, Token, User
from gproxy.store.base import State, Stored


def test_everything_by_name_the_newest_first() -> None:
    ada = User("ada", "hash", "admin")
    sessions = {name: Session("ada", created, 9.0, "", "") for name, created in (("s1", 1.0), ("s2", 2.0))}
    token = Token("t", "ada", "hash", "viewer", "", 1.0)
    objects = [
        Stored(USER, "ada", 1, ada.document()),
        *(Stored(SESSION, name, 1, session.document()) for name, session in sessions.items()),
        Stored(SESSION, "s3", 1, Session("bob", 1.0, 9.0, "", "").document()),
        Stored(TOKEN, "t", 1, token.document()),
        Stored(KEY, "cookies", 1, {"key": "k"}),
        Stored(LOCK, "ada", 1, {"until_s": 7}),
    ]
    directory = Directory(State(3, {stored.key: stored for stored in objects}))
    assert directory.revision == 3
    assert directory.users == {"ada": ada}
    assert list(directory.sessions_of("ada")) == ["s2", "s1"]
    assert directory.tokens_of("ada") == [token]
    assert directory.cookie_key == "k"
    assert directory.locks == {"ada": 7.0}


def test_what_cannot_be_read_opens_no_door_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    ada = User("ada", "hash", "admin")
    documents = {
        (USER, "ada"): ada.document(),
        (USER, "bob"): {**ada.document(), "name": "bob", "of_a_newer_version": 1},
        (USER, "eve"): {**ada.document(), "name": "eve", "role": "god"},
        (SESSION, "s"): {"user": "ada"},
        (TOKEN, "t"): {"name": "t", "role": "king"},
        (LOCK, "ada"): {"until_s": "soon"},
        (KEY, "cookies"): {},
    }
    state = State(1, {(kind, name): Stored(kind, name, 1, made) for (kind, name), made in documents.items()})
    directory = Directory(state)
    assert directory.users == {"ada": ada}
    assert (directory.sessions, directory.tokens, directory.locks, directory.cookie_key) == ({}, {}, {}, "")
    assert len(caplog.records) == len(documents) - 1
    Directory(state, directory)
    assert len(caplog.records) == len(documents) - 1


def test_users_who_cannot_be_read_are_there() -> None:
    assert Directory(State(1, {(USER, "x"): Stored(USER, "x", 1, {})})).has_users


def test_an_empty_store_has_nobody() -> None:
    assert Directory(State(0, {})).users == {}
    assert Directory(State(0, {})).cookie_key == ""
