import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.cache_vary import Variants, vary_names


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([], ()),
        ([b"Accept"], (b"accept",)),
        ([b"B, a ,", b"b"], (b"a", b"b")),
        ([b"*"], None),
        ([b"Accept, *"], None),
        ([b"a b"], None),
        ([b"X-Forwarded-For"], None),
        ([b", ".join(b"x%d" % number for number in range(17))], None),
    ],
)
def test_names(values: list[bytes], names: tuple[bytes, ...] | None) -> None:
    assert vary_names(values) == names


def test_what_is_stored_is_read() -> None:
    variants = Variants((b"a", b"b"), b"12345678")
    assert Variants.of(variants.entry(b"key")) == variants


fields = st.lists(st.tuples(st.sampled_from([b"A", b"a", b"B", b"C"]), st.sampled_from([b"", b"1", b"2", b"1, 2"])))


@given(fields, fields)
def test_keys_are_equal_exactly_when_the_named_fields_are(
    one: list[tuple[bytes, bytes]], other: list[tuple[bytes, bytes]]
) -> None:
    variants = Variants((b"a", b"b"), b"12345678")

    def named(pairs: list[tuple[bytes, bytes]]) -> list[list[bytes]]:
        return [[value for name, value in pairs if name.lower() == wanted] for wanted in variants.names]

    def key(pairs: list[tuple[bytes, bytes]]) -> bytes:
        return variants.key(b"k", b"".join(b"%b: %b\r\n" % pair for pair in pairs))

    assert (key(one) == key(other)) is (named(one) == named(other))


def test_a_new_list_hides_what_was_in_the_old_one() -> None:
    assert Variants((b"a",), b"1" * 8).key(b"k", b"") != Variants((b"a",), b"2" * 8).key(b"k", b"")
