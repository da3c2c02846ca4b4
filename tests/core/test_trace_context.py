import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.trace_context import FIELDS, Parent, lines, read_parent, read_state

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
WHOLE = b"00-%b-%b-01" % (TRACE, SPAN)


@pytest.mark.parametrize(
    ("flags", "is_sampled"), [(b"00", False), (b"01", True), (b"02", False), (b"03", True), (b"ff", True)]
)
def test_a_parent(flags: bytes, is_sampled: bool) -> None:
    assert read_parent([b"00-%b-%b-%b" % (TRACE, SPAN, flags)]) == Parent(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize("value", [b"cc" + WHOLE[2:], b"cc" + WHOLE[2:] + b"-what-the-future-brings"])
def test_of_a_later_version_what_is_known_is_read(value: bytes) -> None:
    assert read_parent([value]) == Parent(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"nonsense",
        WHOLE.upper(),
        WHOLE + b"-",
        WHOLE + b"-x",
        b"cc" + WHOLE[2:] + b".x",
        b"ff" + WHOLE[2:],
        WHOLE[:-1],
        WHOLE + b"0",
        WHOLE.replace(TRACE, b"0" * 32),
        WHOLE.replace(SPAN, b"0" * 16),
        WHOLE.replace(TRACE, TRACE[1:]),
        WHOLE.replace(b"-01", b"-0x"),
        b" " + WHOLE,
        b"00_" + WHOLE[3:],
    ],
)
def test_what_is_no_parent(value: bytes) -> None:
    assert read_parent([value]) is None


def test_none_and_two_are_no_parent() -> None:
    assert read_parent([]) is None
    assert read_parent([WHOLE, WHOLE]) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], b""),
        ([b""], b""),
        ([b"a=1"], b"a=1"),
        ([b"a=1,b=2", b" c=3 "], b"a=1,b=2,c=3"),
        ([b"a=1, ,b=2"], b"a=1,b=2"),
        ([b"tenant@vendor=x y"], b"tenant@vendor=x y"),
        ([b"0tenant@vendor=1"], b"0tenant@vendor=1"),
        ([b"0=1"], b""),
        ([b"A=1"], b""),
        ([b"a=1,a=2"], b""),
        ([b"a"], b""),
        ([b"a="], b""),
        ([b"a=1=2"], b""),
        ([b"a=\xff"], b""),
        ([b"a@=1"], b""),
        ([b",".join(b"k%d=1" % number for number in range(33))], b""),
    ],
)
def test_state(values: list[bytes], expected: bytes) -> None:
    assert read_state(values) == expected


def test_state_is_bounded() -> None:
    short = [b"k%d=%b" % (number, b"x" * 40) for number in range(20)]
    long = b"long=" + b"y" * 200
    kept = read_state([b",".join([short[0], long, *short[1:]])])
    assert len(kept) <= 512
    assert kept.split(b",") == short[: len(kept.split(b","))]


@given(st.lists(st.binary(max_size=600), max_size=3))
def test_whatever_comes_what_goes_on_is_well_formed(values: list[bytes]) -> None:
    state = read_state(values)
    assert len(state) <= 512
    assert read_state([state]) == state


@given(st.binary(max_size=70))
def test_any_bytes_are_a_parent_or_none(value: bytes) -> None:
    parent = read_parent([value])
    assert parent is None or len(parent.trace_id + parent.span_id) == 48


def test_what_the_next_hop_is_told() -> None:
    assert lines(TRACE, SPAN, True, b"a=1") == b"traceparent: " + WHOLE + b"\r\ntracestate: a=1\r\n"
    assert lines(TRACE, SPAN, False, b"") == b"traceparent: " + WHOLE[:-1] + b"0\r\n"


def test_both_fields_are_found() -> None:
    block = b"Host: a\r\nTraceParent: x\r\nX-Tracestate: y\r\ntracestate: z\r\ntracestate:\r\n"
    assert FIELDS.sub(b"", block) == b"Host: a\r\nX-Tracestate: y\r\n"
