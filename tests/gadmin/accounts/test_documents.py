from gadmin.accounts.documents import Session, Token, User
from gadmin.accounts.roles import Role


def test_documents_read_what_they_write() -> None:
    user = User("ada", "hash", "editor", is_disabled=True, must_change=True, created_s=1.5)
    session = Session("ada", 1.0, 2.0, "192.0.2.1", "browser")
    token = Token("t1", "ada", "hash", "viewer", "ci", 1.0, 2.0)
    assert User.read(user.document()) == user
    assert Session.read(session.document()) == session
    assert Token.read(token.document()) == token
    assert user.rank is Role.EDITOR
