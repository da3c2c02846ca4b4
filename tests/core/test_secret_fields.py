from gproxy.core.secret_fields import HIDDEN, is_secret, without_secrets

SECRET = {"name": "a", "auth": {"jwt": {"algorithms": ["HS256"], "secret": "s3cret"}, "api_keys": {"keys": []}}}


def test_secrets_are_hidden_and_nothing_else() -> None:
    found = without_secrets("api", SECRET)
    assert found == {
        "name": "a",
        "auth": {"jwt": {"algorithms": ["HS256"], "secret": HIDDEN}, "api_keys": {"keys": []}},
    }
    assert SECRET["auth"]["jwt"]["secret"] == "s3cret"  # type: ignore[index]


def test_what_has_none_stays_as_it_is() -> None:
    for kind, document in (
        ("server", SECRET),
        ("api", {"name": "a"}),
        ("api", {"auth": None}),
        ("api", {"auth": {"jwt": {"secret": None, "secret_file": "f"}}}),
        ("api", {"auth": "odd"}),
    ):
        assert without_secrets(kind, document) is document


def test_which_fields_are_secrets() -> None:
    assert is_secret("api", "auth.jwt.secret")
    assert not is_secret("api", "auth.jwt.secret_file")
    assert not is_secret("server", "auth.jwt.secret")
