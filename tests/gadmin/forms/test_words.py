import pytest

from gadmin.forms import words
from gadmin.forms.spec import spec
from gproxy.core.schema import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_in_exactly_one_section(kind: str) -> None:
    shown = [field.name for section in words.sections(kind) for field in section.fields]
    assert sorted(shown) == sorted(field.name for field in spec(kind))
    assert all(section.title for section in words.sections(kind))


@pytest.mark.parametrize(
    ("name", "label", "unit"),
    [
        ("interval_s", "Interval", "s"),
        ("backoff_ms", "Backoff", "ms"),
        ("failure_percent", "Failure", "%"),
        ("percent", "Percent", "%"),
        ("tls", "TLS", ""),
        ("load_balance", "Load balance", ""),
    ],
)
def test_labels_and_units_come_from_names(name: str, label: str, unit: str) -> None:
    assert (words.label(name), words.unit(name)) == (label, unit)


def test_hints_are_those_of_the_table_or_of_the_model() -> None:
    fields = {field.name: field for field in spec("server")}
    assert "0 gets none" in words.hint("server", "weight", fields["weight"])
    assert "asks a server" in words.hint("server", "health_check", fields["health_check"])
    rise = next(field for field in fields["health_check"].part if field.name == "rise")
    assert words.hint("server", "health_check.rise", rise) == "1 to 1000"


def test_hints_of_rows_are_those_of_all_rows() -> None:
    nodes = next(field for field in spec("api") if field.name == "nodes")
    rewrite = next(field for field in nodes.part if field.name == "rewrite")
    assert words.hint("api", "nodes[3].rewrite", rewrite) == "Instead of the API's own."


def test_what_a_form_is_about_is_open() -> None:
    assert words.is_open("routing", "when")
    assert not words.is_open("api", "timeouts")
