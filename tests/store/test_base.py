import pytest

from gproxy.store.base import ABSENT, Conflict, State, Stored, Write

U1 = Stored("server", "u1", 4, {"name": "u1"})


def test_a_state_gives_documents_by_kind_and_name() -> None:
    other = Stored("api", "all", 5, {"name": "all"})
    state = State(5, {item.key: item for item in (U1, other)})
    assert state.documents() == {"server": {"u1": {"name": "u1"}}, "api": {"all": {"name": "all"}}}


@pytest.mark.parametrize(
    ("expected", "theirs", "said"),
    [
        (2, U1, "server u1 is at revision 4, not at 2"),
        (ABSENT, U1, "server u1 is at revision 4, though it should not exist yet"),
        (2, None, "server u1 does not exist, but was expected at revision 2"),
    ],
)
def test_a_conflict_knows_both_versions(expected: int, theirs: Stored | None, said: str) -> None:
    conflict = Conflict.of(Write("server", "u1", {"name": "u1", "weight": 2}, expected), theirs)
    assert str(conflict) == said
    assert (conflict.mine, conflict.theirs) == ({"name": "u1", "weight": 2}, theirs)
