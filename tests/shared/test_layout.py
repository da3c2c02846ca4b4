import pytest

from gproxy.shared import layout


def test_cells_lie_apart() -> None:
    names = [name for name, value in vars(layout).items() if name.isupper() and isinstance(value, int)]

    def cells_from(first: str, end: str) -> list[int]:
        return [getattr(layout, name) for name in names[names.index(first) : names.index(end)]]

    slot_cells = cells_from("HEARTBEAT", "SLOT_CELLS")
    row_cells = cells_from("ROW_ACTIVE", "ROW_CELLS")
    global_cells = [cell for cell in cells_from("PUBLISHED", "GLOBAL_END") if cell >= layout.HEADER_CELLS]
    assert len(set(row_cells)) == len(row_cells)
    assert max(row_cells) < layout.ROW_CELLS
    assert set(layout.ROW_COUNTER_NAMES.values()).isdisjoint(layout.ROW_GAUGES)
    assert len(set(slot_cells)) == len(slot_cells)
    assert max(slot_cells) < layout.SLOT_CELLS
    assert len(set(global_cells)) == len(global_cells)
    assert max(global_cells) < layout.GLOBAL_END
    assert layout.GLOBAL_END % 8 == layout.SLOT_CELLS % 8 == 0
    assert set(layout.COUNTER_NAMES.values()).isdisjoint(layout.GAUGES)


def test_regions_follow_each_other_and_begin_on_lines() -> None:
    regions = layout.Regions.of(slots=3, rows=5)
    assert list(regions) == sorted(regions)
    assert all(start % layout.LINE_CELLS == 0 for start in regions)
    assert regions.slots == layout.GLOBAL_END


def test_outcomes_are_a_run_of_cells_in_slots_and_rows_alike() -> None:
    """The recorder turns a status into one offset, which fits both after a shift."""
    shift = layout.STATUS_1XX - layout.ROW_STATUS_1XX
    for name in ("STATUS_1XX", "STATUS_2XX", "STATUS_3XX", "STATUS_4XX", "STATUS_5XX", "CLIENT_GONE"):
        cell = getattr(layout, name)
        assert cell in layout.OUTCOMES
        assert cell - shift == getattr(layout, f"ROW_{name}")
        assert cell - shift in layout.ROW_OUTCOMES
    assert (len(layout.OUTCOMES), len(layout.ROW_OUTCOMES)) == (6, 7)
    assert layout.ROW_ACTIVE == 0, "the recorder takes it for granted"


def test_a_change_of_any_number_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {layout.fingerprint()}
    assert layout.fingerprint() in seen
    for name, value in (("ACCEPTED", 9), ("HEALTH_DOWN", 3), ("GAUGES", range(9)), ("A_NEW_CELL", 70)):
        monkeypatch.setattr(layout, name, value, raising=False)
        seen.add(layout.fingerprint())
    assert len(seen) == 5
