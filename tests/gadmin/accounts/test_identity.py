from gadmin.accounts.documents import User
from gadmin.accounts.identity import Identity
from gadmin.accounts.roles import Role

ADA = User("ada", "hash", "admin")


def test_a_token_may_no_more_than_its_role() -> None:
    token = Identity(ADA, Role.VIEWER, "t1", is_token=True)
    assert token.may(Role.VIEWER)
    assert not token.may(Role.EDITOR)


def test_the_history_names_who_it_was_and_by_which_token() -> None:
    assert Identity(ADA, Role.ADMIN, "s", is_token=False).author == "ada"
    assert Identity(ADA, Role.ADMIN, "t1", is_token=True).author == "ada (token t1)"
