import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.events import Event, Kind, Thing

byte = st.integers(0, 255)
cell = st.integers(0, 2**64 - 1)
half = st.integers(0, 2**32 - 1)
events = st.builds(
    Event,
    kind=st.sampled_from(Kind),
    cause=byte,
    thing=st.sampled_from(Thing),
    row=st.integers(0, 2**24 - 1),
    before=byte,
    after=byte,
    figures=st.tuples(cell, cell, cell),
    generation=half,
    epoch=half,
)


@given(events)
def test_what_is_packed_is_unpacked(event: Event) -> None:
    packed = event.pack()
    assert len(packed) == 5
    assert all(0 <= number < 2**64 for number in packed)
    assert Event.unpack(packed) == event


@pytest.mark.parametrize(
    "event", [Event(Kind.RELOAD, 1, row=2**24), Event(Kind.RELOAD, 256), Event(Kind.RELOAD, 1, epoch=-1)]
)
def test_what_does_not_fit_is_an_error(event: Event) -> None:
    with pytest.raises((OverflowError, ValueError)):
        event.pack()


def test_what_was_never_packed_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not a valid Kind"):
        Event.unpack((0, 0, 0, 0, 0))
