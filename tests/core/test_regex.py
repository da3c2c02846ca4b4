import time

import pytest

from gproxy.core.regex import MOST_WORK, Regex

#: Larger than any head or path that is let in unless the limits are raised.
LONG = 32_768
#: Expressions of the kinds that stall other engines, or RE2 without a budget, with the text that they are worst at.
HOSTILE = {
    "nested repetition": ("^(a+)+$", b"a"),
    "alternatives that overlap": ("^(a|a|aa)*b", b"a"),
    "counted repetitions": ("(?:a?){500}b", b"a"),
    "as large as it may be": ("(?:a?){1000}b", b"a"),
    "more states than can be remembered": ("(?:a?b?c?){160}!", b"abcacb"),
    "many prefixes": (".*".join("abcdefgh") + "!", b"abcdefgh"),
    "characters of several bytes": (r"(?:\pL?){2}!", "é".encode()),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_no_expression_stalls_a_worker(case: str) -> None:
    expression, unit = HOSTILE[case]
    regex = Regex.compile(expression)
    for length in (min(LONG, regex.most_bytes), LONG):
        text = (unit * length)[:length]
        began = time.process_time()
        for _ in range(3):
            regex.search(text)
        assert (time.process_time() - began) / 3 < 0.1  # some 15 ms; without the budget up to 3 s


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too large, the most is 2500"):
        Regex.compile("(?:a?b?){1000}c")
    with pytest.raises(ValueError, match="pattern too large"):
        Regex.compile(r"(?:\pL{1,50}){1,20}")


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    regex = Regex.compile("(?:a?){100}b")
    assert 1000 < regex.most_bytes < LONG
    assert regex.search(b"b" * regex.most_bytes)
    assert regex.search(b"b" * (regex.most_bytes + 1)) is None


def test_what_people_write_sees_every_head() -> None:
    for expression in (r"^/v(\d+)/(.+)$", r"(?i)mobile|android|iphone", r"^[\w.+-]+@[\w-]+\.[\w.]+$"):
        assert Regex.compile(expression).most_bytes >= LONG


def test_more_work_may_be_allowed() -> None:
    assert Regex.compile("abc", 7 * MOST_WORK).most_bytes == pytest.approx(7 * Regex.compile("abc").most_bytes, abs=7)


def test_groups_have_names_or_numbers() -> None:
    regex = Regex.compile("(a)(?P<second>b)(?:x)?(c)")
    assert regex.names == ("1", "second", "3")
    assert regex.search(b"__abc").groups() == (b"a", b"b", b"c")


@pytest.mark.parametrize("expression", ["(", "a{2,1}", r"\q", "(?<=a)b", "[z-a]"])
def test_what_is_none_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="not a regular expression of RE2"):
        Regex.compile(expression)
