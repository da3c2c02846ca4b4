from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gproxy.core.events import Thing
from gproxy.monitor.exposition_rows import RowFamilies
from gproxy.monitor.objects import Named
from gproxy.monitor.rows import RowReader
from gproxy.shared.table import Table
from tests.monitor.figures import put


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=64)
    yield made
    made.close()


@pytest.mark.parametrize("name", ["plain", 'quote"', "back\\slash", "line\nend", "per%cent %s", "\u00e4", '"} %s'])
def test_a_name_of_any_kind_is_a_label(table: Table, name: str) -> None:
    """Names of objects are plain; the text must be right for others as well."""
    families = RowFamilies(RowReader(table), "", "api")
    put(table, 3, 2)
    text = families.text([Named(Thing.API, name, 3, False)], lambda: None).decode()
    for family in text_string_to_metric_families(text):
        assert {sample.labels["api"] for sample in family.samples} == {name}


def test_lines_of_a_family_stand_together_under_one_head(table: Table) -> None:
    objects = [Named(Thing.SERVER, name, row, False) for row, name in enumerate("abc")]
    text = RowFamilies(RowReader(table), "server_", "server").text(objects, lambda: None).decode()
    heads = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    families = list(text_string_to_metric_families(text))
    assert len(families) == len(heads)
    assert all({sample.labels["server"] for sample in family.samples} == set("abc") for family in families)


def test_only_what_has_changed_is_told_anew(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RowReader(table)
    families = RowFamilies(reader, "", "api")
    objects = [Named(Thing.API, name, row, False) for row, name in enumerate("abc")]
    put(table, 1, 2)
    before = families.text(objects, lambda: None)
    looked: list[int] = []
    histogram = reader.histogram

    def spy(self: RowReader, row: int) -> list[int]:
        looked.append(row)
        return histogram(row)

    monkeypatch.setattr(RowReader, "histogram", spy)
    put(table, 2, 1)
    after = families.text(objects, lambda: None)
    assert looked == [2]
    assert before.count(b"\n") == after.count(b"\n")
    assert before != after
    assert families.text(objects[:1], lambda: None).count(b'api="b"') == 0


def test_others_get_their_turn(table: Table) -> None:
    breaths = []
    objects = [Named(Thing.SERVER, f"s{row}", row, False) for row in range(60)]
    RowFamilies(RowReader(table), "server_", "server").text(objects, lambda: breaths.append(1))
    assert len(breaths) == 3
