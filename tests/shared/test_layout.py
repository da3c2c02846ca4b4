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
