"""Laws of the expressions of rules: texts of users, over requests of strangers."""

from __future__ import annotations

import re

from gproxy.core.expression import compile_expression, path_variable
from tests.core.asked import Asked

_SIGNS = {"==": "!=", "!=": "=="}


def expressions(data: bytes) -> None:
    """An expression compiles or is refused with a sentence, and decides on every request; the first line is a request.

    What follows the first line is the expression: a value that is there decides one way, and its negation the other.
    """
    first, _, rest = data.partition(b"\n")
    text = rest.decode("utf-8", "replace")
    try:
        test = compile_expression(text)
    except ValueError:
        return
    variable = path_variable(text)
    assert variable is None or f"$path_{variable}" in text
    request, empty = _asked(first), Asked(target=b"/", name=b"", values=(), names=(), ip=b"")
    assert test(request) in (True, False)
    assert test(empty) in (True, False)
    turned = _turned(text)
    if turned is not None:
        other = compile_expression(turned)
        for one in (request, empty):
            # With a value just one of the two holds; without one only what is negative does.
            assert test(one) is not other(one) or _is_missing(text, one)


def _asked(first: bytes) -> Asked:
    """Make a request whose parts are the pieces of a line."""
    target, method, host, field, cookie, value, ip, *_ = [*first.split(b"\x1f"), b"", b"", b"", b"", b"", b"", b""]
    fields = {b"x-a": field, b"cookie": cookie}
    return Asked(b"/" + target, method or b"GET", host, fields, ip or b"192.0.2.1", ("id", "1"), (value, value))


def _turned(text: str) -> str | None:
    """Return the expression that says the opposite; None for those of which there is none."""
    found = re.fullmatch(r"(\s*\$[^\s=!<>~]+)(\s+)(in|contains|exists|~)(?=[\s\"]|\Z)(.*)", text, re.DOTALL)
    if found:
        return f"{found[1]}{found[2]}not {found[3]}{found[4]}"
    found = re.fullmatch(r"(\s*\$[^\s=!<>~]+\s*)(==|!=)(.*)", text, re.DOTALL)
    return f"{found[1]}{_SIGNS[found[2]]}{found[3]}" if found else None


def _is_missing(text: str, request: Asked) -> bool:
    name = re.match(r"\s*\$([^\s=!<>~]+)", text)
    assert name is not None
    return compile_expression(f"${name[1]} not exists")(request)
