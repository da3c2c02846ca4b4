from collections.abc import Iterator

import pytest

from gadmin.forms.spec import Field, Widget, spec
from gproxy.core.schema import KINDS


def every(fields: tuple[Field, ...], path: str = "") -> Iterator[tuple[str, Field]]:
    for field in fields:
        yield path + field.name, field
        yield from every(field.part, f"{path}{field.name}.")


def of(kind: str) -> dict[str, Field]:
    return dict(every(spec(kind)))


def test_widgets_follow_the_types_of_the_model() -> None:
    server, cluster, api = of("server"), of("cluster"), of("api")
    assert server["address"].widget is Widget.TEXT
    assert server["address"].is_required
    assert server["backup"].widget is Widget.SWITCH
    assert server["slow_start_s"].widget is Widget.NUMBER
    assert (server["status"].widget, server["status"].choices) == (Widget.CHOICE, ("up", "down", "drain"))
    assert server["health_check"].widget is Widget.OPTION
    assert server["health_check.headers"].widget is Widget.PAIRS
    assert server["tls"].widget is Widget.PART
    assert cluster["servers"].widget is Widget.NAMES
    assert api["nodes"].widget is Widget.PARTS
    assert api["nodes.cluster"].widget is Widget.TEXT
    assert api["timeouts.connect_s"].widget is Widget.NUMBER


def test_bounds_and_defaults_come_along() -> None:
    weight = of("server")["weight"]
    assert (weight.is_whole, weight.least, weight.most, weight.default) == (True, 0, 1000, 1)
    assert of("server")["health_check.interval_s"].default == 5
    assert "How the node asks a server" in of("server")["health_check"].doc


def test_fields_that_name_objects_say_of_which_kind() -> None:
    assert of("cluster")["servers"].refers_to == "server"
    assert of("api")["nodes.cluster"].refers_to == "cluster"
    assert of("api")["path"].refers_to == ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_form_that_begins_with_its_name(kind: str) -> None:
    assert spec(kind)[0].name == "name"
    parts = (Widget.PART, Widget.OPTION, Widget.PARTS)
    assert all(bool(field.part) is (field.widget in parts) for _, field in every(spec(kind)))
