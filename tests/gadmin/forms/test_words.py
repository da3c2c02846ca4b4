import pytest

from gadmin.forms import words
from gadmin.forms.spec import Field, Widget, spec
from gproxy.core.model import MODELS
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
        ("failure_percent", "Failed requests", "%"),
        ("percent", "Share", "%"),
        ("tls", "TLS", ""),
        ("hash_on", "Hash on", ""),
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


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_fields_of_a_part_have_the_same_label(kind: str) -> None:
    def walk(fields: tuple[Field, ...]) -> None:
        labels = [words.label(field.name) for field in fields]
        assert len(labels) == len(set(labels)), labels
        for field in fields:
            walk(field.part)

    walk(spec(kind))


def test_a_part_that_many_have_is_explained_everywhere() -> None:
    for kind in ("server", "cluster", "api"):
        breaker = next(field for field in spec(kind) if field.name == "circuit_breaker")
        assert all(words.hint(kind, f"circuit_breaker.{field.name}", field) for field in breaker.part)
        names = {f"circuit_breaker.{field.name}" for field in breaker.part}
        assert set(words._HINTS_ANYWHERE) == {"circuit_breaker", *names}


def test_a_field_is_named_with_what_it_is_in() -> None:
    assert words.trail("address") == "Address"
    assert words.trail("nodes[1].retry.backoff_ms") == "Nodes 2 > Retry > Backoff"


def test_figures_have_units() -> None:
    assert words.figure("took_ms", 4) == "took 4 ms"
    assert words.figure("results_in_a_row", 2) == "results in a row 2"


def test_hints_of_rows_are_those_of_all_rows() -> None:
    nodes = next(field for field in spec("api") if field.name == "nodes")
    rewrite = next(field for field in nodes.part if field.name == "rewrite")
    assert words.hint("api", "nodes[3].rewrite", rewrite) == "Instead of the API's own."


def test_what_a_form_is_about_is_open() -> None:
    assert words.is_open("routing", "when")
    assert not words.is_open("api", "timeouts")


def test_long_texts_have_room() -> None:
    assert words.is_wide("rewrite")
    assert not words.is_wide("name")


def test_every_hint_and_every_section_is_about_a_field_that_is_there() -> None:
    known: set[str] = set()

    def walk(path: str, fields: tuple[Field, ...]) -> None:
        for field in fields:
            at = f"{path}.{field.name}"
            known.add(at)
            walk(f"{at}[]" if field.widget is Widget.PARTS else at, field.part)

    for kind in MODELS:
        walk(kind, spec(kind))
    assert set(words._HINTS) <= known
    listed = {
        f"{kind}.{name}" for kind, of in words.SECTIONS.items() for names in of.values() for name in names.split()
    }
    assert listed - known <= {"api.cache"}, "it comes"
