import json

from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.json_line import json_line


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(-(2**53), 2**53), st.floats(0, 1e9), st.none())))
def test_every_line_is_ascii_and_says_what_went_in(entry: dict[str, object]) -> None:
    line = json_line(entry)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line) == entry
