r"""Expressions over a request, as rules use them: `$cookie_group == beta`.

| value | |
|---|---|
| `$header_NAME` `$cookie_NAME` `$query_NAME` | the first one; an underscore in the name of a header stands for `-` |
| `$path_NAME` | a variable of the API's path, or with a number a group of its regular expression |
| `$client_ip` `$method` `$host` | the address of the client itself, the method, the host without its port |

| operator | holds when the value |
|---|---|
| `==` `!=` | is this text, or not |
| `<` `<=` `>` `>=` | is a whole number, and so compares to this one |
| `in` | is in a list with commas; `$client_ip` also in networks such as `10.0.0.0/8` |
| `contains` | has this text in it |
| `~` | matches a regular expression of RE2 somewhere |
| `exists` | is there, even if it is empty |

`not` before `in`, `contains`, `~` and `exists` turns them round. A value that is missing is not equal to anything,
and nothing else holds for it. Text in double quotes keeps its blanks and commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from gproxy.core.networks import Networks, address
from gproxy.core.regex import Regex
from gproxy.core.variables import Getter, Request, getter

Test = Callable[[Request], bool]
#: Decides on a value that is there.
_Decision = Callable[[bytes], bool]
T = TypeVar("T")

_FORM: Final = re.compile(
    r"\s*\$(?P<name>[^\s=!<>~]+)"
    r"(?:\s+(?P<negated>not\s+)?(?P<word>in|contains|exists|~)(?=[\s\"]|\Z)|\s*(?P<sign>==|!=|<=|>=|<|>|~))"
    r"\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
_ITEM: Final = re.compile(r'\s*("[^"]*"|[^,"]*)\s*(?:,|\Z)')
_NUMBER: Final = re.compile(rb"[+-]?[0-9]{1,18}")
_FAMILIES: Final = ("header", "cookie", "query", "path")
_PLAIN: Final = ("client_ip", "method", "host")
_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
}


def compile_expression(text: str) -> Test:
    """Return the test that an expression stands for; raises ValueError with a sentence for the user."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not an expression: write $NAME, an operator and a value, as in $cookie_a == b')
    name, operator, value = found["name"], found["word"] or found["sign"], found["value"]
    take = _getter(name)
    if operator == "exists":
        if value:
            raise ValueError(f'"{text}": exists takes no value')
        return _existing(take, bool(found["negated"]))
    if not value:
        raise ValueError(f'"{text}": there is no value after {operator} (write "" for an empty one)')
    decide = _decision(name, operator, value)
    if operator == "!=" or found["negated"]:
        return lambda request: (given := take(request)) is None or not decide(given)
    return lambda request: (given := take(request)) is not None and decide(given)


def _existing(take: Getter, is_negated: bool) -> Test:
    return lambda request: (take(request) is None) is is_negated


def path_variable(text: str) -> str | None:
    """Return the variable of the API's path that a valid expression asks for, None when it asks for none."""
    found = _FORM.fullmatch(text)
    return found["name"][5:] if found is not None and found["name"].startswith("path_") else None


def _getter(name: str) -> Getter:
    if name in _PLAIN:
        return getter(name)
    family, _, rest = name.partition("_")
    if family not in _FAMILIES or not rest:
        known = [f"${family}_NAME" for family in _FAMILIES] + [f"${plain}" for plain in _PLAIN]
        raise ValueError(f'"${name}" is not known, there are {", ".join(known)}')
    if family == "header":
        rest = rest.replace("_", "-")
    return getter(rest if family == "path" and rest.isdigit() else f"{family}.{rest}")


def _decision(name: str, operator: str, value: str) -> _Decision:
    """Return what decides on the value of a variable; for `!=` what decides on ==."""
    if operator in _COMPARISONS:
        if name in _PLAIN:
            raise ValueError(f"${name} is no number, it cannot be compared with {operator}")
        return _comparison(_COMPARISONS[operator], value)
    if operator == "~":
        search = Regex.compile("(?s)" + _unquoted(value)).search
        return lambda given: search(given) is not None
    if operator == "in":
        items = _items(value)
        if name == "client_ip":
            return Networks.compile(items).has
        texts = frozenset(_wanted(name, item) for item in items)
        return lambda given: given in texts
    text = _unquoted(value)
    if operator == "contains":
        part = _in_case_of(name, text).encode("utf-8")
        return lambda given: part in given
    wanted = _wanted(name, text)
    return lambda given: given == wanted


def _comparison(compare: Callable[[int, int], bool], value: str) -> _Decision:
    text = _unquoted(value).encode("utf-8")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'"{value}" is not a whole number (of at most 18 digits)')
    number = int(text)
    return lambda given: _NUMBER.fullmatch(given) is not None and compare(int(given), number)


def _wanted(name: str, text: str) -> bytes:
    """Return a whole value to compare with, in the form in which requests have it."""
    return str(address(text)).encode("ascii") if name == "client_ip" else _in_case_of(name, text).encode("utf-8")


def _in_case_of(name: str, text: str) -> str:
    if name == "host":
        return text.lower()
    return text.upper() if name == "method" else text


def _unquoted(value: str) -> str:
    if value[:1] != '"':
        return value
    if len(value) < 2 or value[-1] != '"':
        raise ValueError(f"{value} begins with a quote, but does not end with one")
    return value[1:-1]


def _items(value: str) -> list[str]:
    """Split a list at its commas, but not within quotes."""
    items: list[str] = []
    end = 0
    while end < len(value) or not items:
        found = _ITEM.match(value, end)
        if found is None or not found[1]:
            raise ValueError(f"{value} is not a list: commas stand between entries, and quotes around a whole one")
        items.append(_unquoted(found[1].rstrip()))
        end = found.end()
    return items
