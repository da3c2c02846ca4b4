from xml.etree import ElementTree

from scripts.benchmark import drawing
from scripts.benchmark.measure import Sample
from scripts.benchmark.table import Result
from scripts.benchmark.workloads import WORKLOADS, Workload

TEXT = "{http://www.w3.org/2000/svg}text"
SAMPLES = {"nginx": Sample(cost=16.0, requests_per_s=50000.0, p99_ms=2.0), "gproxy": Sample(cost=24.0)}


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(TEXT)]


def test_the_drawing_holds_every_row_and_the_caption() -> None:
    svg = drawing.svg([Result(workload, SAMPLES) for workload in WORKLOADS], "one core each")
    shown = texts(svg)
    assert [workload.title for workload in WORKLOADS if workload.title not in shown] == []
    assert "one core each" in shown
    assert "24.0  (1.50×)" in shown


def test_the_height_grows_with_the_rows() -> None:
    one = ElementTree.fromstring(drawing.svg([Result(WORKLOADS[0], SAMPLES)], ""))
    two = ElementTree.fromstring(drawing.svg([Result(WORKLOADS[0], SAMPLES)] * 2, ""))
    assert int(two.get("height", 0)) - int(one.get("height", 0)) == drawing.ROW_HEIGHT


def test_text_is_escaped() -> None:
    svg = drawing.svg([Result(Workload("x", "<b> & co"), SAMPLES)], "")
    assert "<b> & co" in texts(svg)


def test_the_idle_row_has_memory_only() -> None:
    idle = WORKLOADS[-1]
    assert drawing.cells(Result(idle, {"nginx": Sample(cost=512.0)}), "nginx") == ("0.5 KB", "", "")
