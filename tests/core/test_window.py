from hypothesis import given
from hypothesis import strategies as st

from gproxy.core import window

WINDOW_US = 16_000


def test_slices_change_every_sixteenth_of_the_window() -> None:
    assert [window.number(now_us, WINDOW_US) for now_us in (0, 999, 1000, 15_999, 16_000)] == [0, 0, 1, 15, 16]
    assert [window.place(number) for number in (0, 1, 15, 16)] == [0, 3, 45, 0]


def test_an_untouched_window_is_empty() -> None:
    assert window.sums([0] * window.CELLS, window.stamps(7, 100)) == (0, 0, 0)


def test_cells_of_another_epoch_do_not_count() -> None:
    cells = [0] * window.CELLS
    at = window.place(100)
    cells[at : at + 3] = [window.stamp(7, 100) | count for count in (9, 5, 2)]
    assert window.sums(cells, window.stamps(7, 100)) == (9, 5, 2)
    assert window.sums(cells, window.stamps(7, 115)) == (9, 5, 2)
    assert window.sums(cells, window.stamps(7, 116)) == (0, 0, 0)
    assert window.sums(cells, window.stamps(8, 100)) == (0, 0, 0)


def test_the_past_is_all_but_the_present_slice() -> None:
    cells = [0] * window.CELLS
    for number in (99, 100):
        at = window.place(number)
        cells[at : at + 3] = [window.stamp(7, number) | count for count in (number, 5, 2)]
    assert window.sums(cells, window.stamps(7, 100)) == (199, 10, 4)
    assert window.sums(cells, window.stamps_before(7, 100)) == (99, 5, 2)


@given(st.integers(0, 1 << 30), st.lists(st.tuples(st.integers(0, 4000), st.booleans(), st.booleans()), max_size=60))
def test_sums_are_those_of_the_last_window(begin_us: int, results: list[tuple[int, bool, bool]]) -> None:
    """The ring agrees with a list of everything that happened."""
    cells = [0] * window.CELLS
    seen: list[tuple[int, bool, bool]] = []
    now_us = begin_us
    for pause_us, has_failed, is_slow in results:
        now_us += pause_us
        number = window.number(now_us, WINDOW_US)
        seen.append((number, has_failed, is_slow))
        for kind, applies in enumerate((True, has_failed, is_slow)):
            at, stamp = window.place(number) + kind, window.stamp(3, number)
            if applies:
                cells[at] = (cells[at] if cells[at] & ~window.COUNT == stamp else stamp) + 1
        inside = [result for result in seen if result[0] > number - window.SLICES]
        expected = len(inside), sum(result[1] for result in inside), sum(result[2] for result in inside)
        assert window.sums(cells, window.stamps(3, number)) == expected


def test_a_slice_ends_where_the_next_one_begins() -> None:
    for window_us in (1, 7, 16, 1_000_003):
        for number in (0, 1, 99):
            end_us = window.end_us(number, window_us)
            assert window.number(end_us - 1, window_us) <= number < window.number(end_us, window_us)
