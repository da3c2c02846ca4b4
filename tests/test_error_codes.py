"""docs/errors.md has every code that the gateway and gadmin have, and no other."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import gproxy.core
import gproxy.filters
import gproxy.worker
from gadmin.api import problems
from gproxy.core import end_state
from gproxy.core.errors import GatewayError
from gproxy.filters.base import Refusal

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
#: a status, a code, and something about them
_ROW = re.compile(r"^\| (\d+|as sent) \| `(\w+)` \| \S.*\|$", re.MULTILINE)


def table(title: str) -> set[tuple[str, str]]:
    """Return status and code of each row of a section."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = _ROW.findall(section)
    assert len(rows) == len(set(rows)) == section.count("\n| ") - 1, "a row that cannot be read, or twice the same"
    return set(rows)


def family(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from family(below)


def trees(*packages: str) -> Iterator[ast.Module]:
    for package in packages:
        for path in (ROOT / package).rglob("*.py"):
            yield ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    """Return the texts in an expression."""
    values = [below.value for below in ast.walk(node) if isinstance(below, ast.Constant)]
    return {value for value in values if isinstance(value, str) and value}


def codes_in(value: ast.AST, target: ast.AST) -> set[str]:
    """Return the texts that an assignment gives to an attribute `code`, alone or as one of several."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return set().union(*map(codes_in, value.elts, target.elts))
    return texts(value) if isinstance(target, ast.Attribute) and target.attr == "code" else set()


def codes_of_logs() -> Iterator[str]:
    """Yield the codes that workers note of requests, other than those of errors."""
    for tree in trees("gproxy/worker"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                yield from codes_in(node.value, node.targets[0])
            elif isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "code" and isinstance(value, ast.IfExp):
                        yield from texts(value)


def test_every_code_of_the_gateway_is_explained() -> None:
    for package in (gproxy.core, gproxy.filters, gproxy.worker):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    ours = {kind for kind in family(GatewayError) if kind.__module__.startswith("gproxy.")}
    assert {(str(kind.status), kind.code) for kind in ours - {Refusal}} == table("Codes of the gateway")


def test_every_code_of_logs_is_explained() -> None:
    sent = {code for _, code in table("Codes of the gateway")}
    logged = {code for _, code in table("Codes in logs only")}
    assert set(codes_of_logs()) - sent == logged
    assert set(end_state._WHO) - {""} <= sent | logged


def test_every_code_of_the_rest_interface_is_explained() -> None:
    raised = {
        (str(node.args[0].value), str(node.args[1].value))
        for tree in trees("gadmin")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Failure"
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[1], ast.Constant)
    }
    assert raised | {(str(status), code) for status, code in problems._CODES.items()} == table(
        "Codes of the REST interface"
    )
