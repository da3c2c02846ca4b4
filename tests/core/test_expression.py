import ipaddress
import operator
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gproxy.core.expression import compile_expression, path_variable
from tests.core.asked import Asked

REQUEST = Asked(
    target=b"/users/42?page=7&q=1%202+3&empty=&page=8",
    method=b"POST",
    name=b"shop.example.com",
    fields={b"x-version": b"12", b"user-agent": b"Mozilla/5.0 (iPhone)", b"cookie": b"group=beta; n=-3"},
    ip=b"10.1.2.3",
    names=("id", "2"),
    values=(b"42", b"a%2Fb"),
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("$cookie_group == beta", True),
        ("$cookie_group==beta", True),
        ('  $cookie_group  ==  "beta"  ', True),
        ("$cookie_group == Beta", False),
        ("$cookie_group != beta", False),
        ("$cookie_none == beta", False),
        ("$cookie_none != beta", True),
        ("$header_x_version >= 12", True),
        ("$header_x-version > 12", False),
        ("$header_X_Version < 13", True),
        ("$header_user_agent < 13", False),
        ("$cookie_n <= -3", True),
        ("$cookie_none < 13", False),
        ("$query_page in 1, 7 ,9", True),
        ("$query_page in 1,8", False),
        ('$query_q in "1 2 3", x', True),
        ('$query_empty in "", x', True),
        ("$query_page not in 1, 7", False),
        ("$query_none not in 1, 7", True),
        ("$header_user_agent contains iPhone", True),
        ("$header_user_agent contains iphone", False),
        ("$header_user_agent not contains iphone", True),
        ("$header_user_agent ~ (?i)IPHONE", True),
        ("$header_user_agent ~ ^iPhone", False),
        ("$header_user_agent not ~ ^iPhone", True),
        ("$header_user_agent~^Mozilla", True),
        ("$query_empty exists", True),
        ("$query_none exists", False),
        ("$query_none not exists", True),
        ('$query_empty == ""', True),
        ("$path_id == 42", True),
        ("$path_2 == 42", False),
        ("$path_2 == a/b", True),
        ("$path_missing == 42", False),
        ("$client_ip in 192.168.0.0/16, 10.0.0.0/8", True),
        ("$client_ip in 10.1.2.4", False),
        ("$client_ip not in 10.0.0.0/8", False),
        ("$client_ip == 10.1.2.3", True),
        ("$client_ip ~ ^10[.]", True),
        ("$method == post", True),
        ("$method in GET, post", True),
        ("$host == Shop.Example.COM", True),
        ("$host contains EXAMPLE", True),
    ],
)
def test_an_expression(text: str, holds: bool) -> None:
    assert compile_expression(text)(REQUEST) is holds


def test_addresses_have_many_spellings() -> None:
    assert compile_expression("$client_ip == 2001:DB8:0:0::1")(Asked(ip=b"2001:db8::1"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not an expression"),
        ("cookie_a == b", "is not an expression"),
        ("$cookie_a", "is not an expression"),
        ("$cookie_a b", "is not an expression"),
        ("$cookie_a inside b", "is not an expression"),
        ("$cookie_exists", "is not an expression"),
        ("$cookie_a = b", "is not an expression"),
        ("$cookie_a not == b", "is not an expression"),
        ("$body_a == b", r'"\$body_a" is not known, there are \$header_NAME'),
        ("$cookie == b", r'"\$cookie" is not known'),
        ("$header_a[] == b", "does not name a header"),
        ("$cookie_a ==", "no value after =="),
        ("$cookie_a in", "no value after in"),
        ("$cookie_a exists b", "exists takes no value"),
        ("$cookie_a < b", '"b" is not a whole number'),
        ("$cookie_a < 1.5", "is not a whole number"),
        ("$cookie_a < 1234567890123456789", "at most 18 digits"),
        ("$client_ip < 5", r"\$client_ip is no number"),
        ("$client_ip == a.b", '"a.b" is not an address'),
        ("$client_ip in 10.0.0.1/8", "is an address within 10.0.0.0/8"),
        ('$cookie_a == "b', "begins with a quote"),
        ("$cookie_a in 1,,2", "is not a list"),
        ('$cookie_a in 1, "2" 3', "is not a list"),
        ("$cookie_a ~ (", "not a regular expression of RE2"),
    ],
)
def test_what_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compile_expression(text)


def test_which_variable_of_the_path_it_asks_for() -> None:
    assert path_variable("$path_id == 4") == "id"
    assert path_variable("$cookie_id == 4") is None
    assert path_variable("nonsense") is None


# -- the same, said directly -----------------------------------------------------------------------------------------

COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
#: Expressions that mean the same to Python's engine.
REGEXES = ["a", "^a", "b$", "^(a|b)+$", "[0-9]{2}", "^$", "."]
texts = st.text("ab1 ,.-", max_size=4)
numbers = st.integers(-20, 20)
names = st.sampled_from(["header", "cookie", "query", "path"])
addresses = st.sampled_from(["10.0.0.1", "10.0.0.9", "10.9.0.1", "2001:db8::1"])
networks = st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "::/0"])


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, bool, str, Any]:
    """Draw (family, negated, operator, right-hand side)."""
    kind = draw(st.sampled_from(["==", "!=", "in", "contains", "~", "exists", *COMPARE]))
    negated = kind in ("in", "contains", "~", "exists") and draw(st.booleans())
    family = draw(names)
    if kind in COMPARE:
        return family, False, kind, draw(numbers)
    if kind == "~":
        return family, negated, kind, draw(st.sampled_from(REGEXES))
    if kind == "in":
        if draw(st.booleans()):
            return "client_ip", negated, kind, draw(st.lists(networks, min_size=1, max_size=3))
        return family, negated, kind, draw(st.lists(texts, min_size=1, max_size=3))
    return family, negated, kind, None if kind == "exists" else draw(texts)


def written(question: tuple[str, bool, str, Any]) -> str:
    family, negated, kind, wanted = question
    subject = "$client_ip" if family == "client_ip" else f"${family}_x"
    word = f"not {kind}" if negated else kind
    if kind == "exists":
        return f"{subject} {word}"
    if isinstance(wanted, list):
        quoted = [item if family == "client_ip" else f'"{item}"' for item in wanted]
        return f"{subject} {word} {', '.join(quoted)}"
    return f'{subject} {word} "{wanted}"'


def evaluated(question: tuple[str, bool, str, Any], value: str | None) -> bool:
    """Evaluate a question about a value, as one would say it in Python."""
    _, negated, kind, wanted = question
    if kind == "exists":
        return (value is not None) != negated
    if value is None:
        return negated or kind == "!="
    if kind in COMPARE:
        return re.fullmatch("[+-]?[0-9]{1,18}", value) is not None and COMPARE[kind](int(value), wanted)
    holds: dict[str, Callable[[], bool]] = {
        "==": lambda: value == wanted,
        "!=": lambda: value != wanted,
        "contains": lambda: wanted in value,
        "~": lambda: re.search(wanted, value, re.DOTALL) is not None,
        "in": lambda: value in wanted,
    }
    return holds[kind]() != negated


@given(questions(), st.one_of(st.none(), texts, numbers.map(str)), addresses)
@example(("cookie", True, "in", ["a", "b"]), None, "10.0.0.1")
@example(("query", False, "<", 5), "4", "10.0.0.1")
def test_agrees_with_a_direct_evaluation(question: tuple[str, bool, str, Any], value: str | None, ip: str) -> None:
    test = compile_expression(written(question))
    if question[0] == "client_ip":
        _, negated, _, wanted = question
        expected = any(ipaddress.ip_address(ip) in ipaddress.ip_network(text) for text in wanted) != negated
        assert test(Asked(ip=ip.encode())) is expected
        return
    if value is not None and question[0] in ("cookie", "header"):
        value = value.strip()  # as they arrive
    assert test(asked(question[0], value)) is evaluated(question, value)


def asked(family: str, value: str | None) -> Asked:
    """Return a request whose `x` of a family has this value."""
    if value is None:
        return Asked(target=b"/", fields={b"cookie": b"y=1"}, names=("y",), values=(b"1",))
    raw = value.encode()
    if family == "header":
        return Asked(fields={b"x": raw})
    if family == "cookie":
        return Asked(fields={b"cookie": b"y=1; x=" + raw})
    if family == "path":
        return Asked(names=("y", "x"), values=(b"1", raw))
    return Asked(target=b"/?y=1&x=" + raw.replace(b" ", b"+"))


def test_a_name_may_be_an_operator() -> None:
    assert compile_expression("$cookie_in in in, contains")(Asked(fields={b"cookie": b"in=contains"}))
