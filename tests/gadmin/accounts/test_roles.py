import pytest

from gadmin.accounts.roles import Role


def test_each_role_may_what_those_before_may() -> None:
    assert Role.VIEWER < Role.EDITOR < Role.ADMIN
    assert [role.label for role in Role] == ["viewer", "editor", "admin"]


def test_a_role_by_its_name() -> None:
    assert Role.of("editor") is Role.EDITOR
    for wrong in ("root", "", "Role"):
        with pytest.raises(ValueError, match="must be viewer, editor, admin"):
            Role.of(wrong)
