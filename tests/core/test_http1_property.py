"""Laws of the head parsers on generated messages."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from gproxy.core.http1 import (
    CLAIMS,
    HOP_BY_HOP,
    is_hopeless,
    parse_request_fields,
    parse_response_head,
    split_fields,
)

Field = tuple[bytes, bytes]

#: fields that the parser does more with than passing them on
_SPECIAL = HOP_BY_HOP | CLAIMS | {b"host", b"content-length", b"expect"}
_TOKEN = b"!#$%&'*+-.^_`|~019AZaz"
_blanks = st.text(" \t", max_size=2).map(str.encode)
_names = st.lists(st.sampled_from(_TOKEN), min_size=1, max_size=8).map(bytes)
_values = st.text(
    st.sampled_from("\t !\"#,/:;<=>@[\\]^_`{|}~09AZaz\x80\xa0\xff"), max_size=12
).map(lambda text: text.strip(" \t").encode("latin-1"))  # fmt: skip
_ordinary = st.tuples(_names, _values).filter(lambda field: field[0].lower() not in _SPECIAL)
_removed = st.tuples(st.sampled_from(sorted(HOP_BY_HOP - {b"connection", b"transfer-encoding"})), _values)
_claims = st.tuples(st.sampled_from(sorted(CLAIMS)), _values)


def line(field: Field, before: bytes = b" ", after: bytes = b"") -> bytes:
    return b"%b:%b%b%b\r\n" % (field[0], before, field[1], after)


def block(fields: list[Field]) -> bytes:
    return b"".join(line(field) for field in fields)


@given(st.lists(st.tuples(st.one_of(_ordinary, _removed, _claims), _blanks, _blanks), max_size=12), st.data())
def test_every_end_to_end_field_is_sent_on_in_order(
    drawn: list[tuple[Field, bytes, bytes]], data: st.DataObject
) -> None:
    lines = [line(field, before, after) for field, before, after in drawn]
    lines.insert(data.draw(st.integers(0, len(lines))), b"Host: a\r\n")
    kept = [field for field, _, _ in drawn if field[0].lower() not in _SPECIAL]
    assert split_fields(parse_request_fields(b"".join(lines), b"1", 100).forward) == [(b"Host", b"a"), *kept]
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n" + b"".join(lines), 100).lines
    sent_on = split_fields(head.partition(b"\r\n")[2])
    gone = HOP_BY_HOP - {b"host"}
    assert sent_on == [field for field in split_fields(b"".join(lines)) if field[0].lower() not in gone]


@given(st.lists(_ordinary, max_size=8), st.sets(st.integers(0, 7)))
def test_fields_named_in_connection_go_and_no_others(fields: list[Field], numbers: set[int]) -> None:
    named = {fields[number][0].lower() for number in numbers if number < len(fields)}
    head = b"Host: a\r\nConnection: %b\r\n%b" % (b", ".join(sorted(named)).upper(), block(fields))
    kept = [field for field in fields if field[0].lower() not in named]
    assert split_fields(parse_request_fields(head, b"1", 100).forward)[1:] == kept


@given(st.lists(st.one_of(_ordinary, _claims), max_size=8))
def test_what_is_sent_on_parses_to_the_same(fields: list[Field]) -> None:
    first = parse_request_fields(b"Host: a\r\n" + block(fields), b"1", 100)
    again = parse_request_fields(first.forward, b"1", 100)
    assert again == replace(first, claims={})


@given(st.lists(_ordinary, max_size=6), st.booleans())
def test_no_prefix_of_a_valid_head_is_hopeless(fields: list[Field], empty_line_first: bool) -> None:
    head = b"\r\n" * empty_line_first + b"GET / HTTP/1.1\r\nHost: a\r\n" + block(fields) + b"\r\n"
    for end in range(len(head) + 1):
        assert not is_hopeless(head[:end])
        assert not any(is_hopeless(head[:end], start) for start in range(max(0, end - 4), end + 1))


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\x00", b": ", b"\xff"])))
@example([b"a", b"\r", b"\n"])
@example([b"a", b"\r", b"a"])
@example([b"\n"])
def test_a_head_that_comes_in_pieces_is_hopeless_as_soon_as_the_whole_is(pieces: list[bytes]) -> None:
    # The way of reading that `start` is made for: each look begins with the last byte seen before.
    buffer, was_hopeless = b"", False
    for piece in pieces:
        seen = len(buffer)
        buffer += piece
        was_hopeless = was_hopeless or is_hopeless(buffer, max(0, seen - 1))
        assert was_hopeless == is_hopeless(buffer)
