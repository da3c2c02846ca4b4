"""What an API or a routing would make of a request, while its form is filled in: told by the code that serves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from gadmin.forms.sample import Sample, readable
from gproxy.core.errors import GatewayError
from gproxy.core.expression import compile_expression
from gproxy.core.path import plain
from gproxy.core.pattern import Pattern
from gproxy.core.rewrite import Rewrite
from gproxy.core.variables import cookie

Document = Mapping[str, Any]
#: Of each kind of variable, that are listed.
_MOST: Final = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a preview: what it is about, what comes of it, and whether that is good (None: neither)."""

    about: str
    text: str
    is_good: bool | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """`variables` are (name, value) that templates may use, `lines` what comes of the request."""

    variables: Sequence[tuple[str, str]]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Given:
    """A request as somebody writes it down."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: str

    def to(self, path: str | None) -> Sample:
        """Return the request to an API with this path. Raises ValueError."""
        return Sample(self.method, self.url, self.headers, self.body, Pattern.parse(path) if path else None)


def of_api(document: Document, given: Given) -> Preview:
    """Return what the nodes of an API would be asked for. Raises ValueError for a path that is none."""
    sample = given.to(str(document.get("path") or "/"))
    if not sample.fits:
        return Preview((), [Line("Path", f"{readable(sample.target)} is no request of this API", False)])
    nodes = [node for node in document.get("nodes") or () if isinstance(node, Mapping)]
    return Preview(list(_variables(sample)), [_node(node, nodes, document, sample) for node in nodes])


def of_routing(document: Document, given: Given, api_path: str | None) -> Preview:
    """Return which conditions of a routing hold; `api_path` is that of its API. Raises ValueError."""
    sample = given.to(api_path)
    lines = []
    path = document.get("path")
    fits = not path or given.to(str(path)).fits
    if path:
        lines.append(Line(str(path), "is the path" if fits else "is another path", fits))
    if not sample.fits:
        lines.append(Line(str(api_path), "the API takes other paths", False))
    when = document.get("when")
    results: dict[str, list[bool]] = {"all": [], "any": []}
    for word, found in results.items():
        for text in (when.get(word) or ()) if isinstance(when, Mapping) else ():
            line = _condition(str(text), sample)
            lines.append(line)
            found.append(line.is_good is True)
    # As core/rule.py has it: all of the first, or one of the second.
    every, some = results["all"], results["any"]
    holds = not (every or some) or (bool(every) and all(every)) or any(some)
    applies = fits and sample.fits and holds
    share = document.get("percent", 100)
    said = "applies" if share == 100 else f"applies to {share} % of such requests"
    lines.append(Line("The routing", said if applies else "does not apply", applies))
    return Preview(list(_variables(sample)), lines)


def _node(node: Document, nodes: Sequence[Document], api: Document, sample: Sample) -> Line:
    about = str(node.get("attr") or node.get("cluster") or "?")
    template = node.get("rewrite") or api.get("rewrite")
    if not template:
        return Line(about, readable(sample.target))
    earlier = [str(other["attr"]) for other in nodes if "attr" in other and _batch(other) < _batch(node)]
    try:
        target = Rewrite.compile(str(template), earlier).target(sample)
    except ValueError as error:
        return Line(about, f"{error}", False)
    except GatewayError as error:
        return Line(about, error.detail, False)
    return Line(about, readable(target), True)


def _batch(node: Document) -> float:
    number = node.get("batch", 0)
    return number if isinstance(number, int | float) else 0


def _condition(text: str, sample: Sample) -> Line:
    try:
        holds = compile_expression(text)(sample)
    except ValueError as error:
        return Line(text, str(error), False)
    return Line(text, "holds" if holds else "does not hold", holds)


def _variables(sample: Sample) -> Iterator[tuple[str, str]]:
    """Yield what templates can take from the request, by the names that they have there."""
    for name, value in zip(sample.path_names(), sample.values, strict=False):
        yield (name if name.isdigit() else f"path.{name}"), plain(value).decode("utf-8", "replace")
    rest = sample.rest()
    if rest is not None:
        yield "*", rest.decode("latin-1")
    query = sample.target.partition(b"?")[2].decode("latin-1")
    for name, text in dict(parse_qsl(query, keep_blank_values=True)[:_MOST]).items():
        yield f"query.{name}", text
    jar = sample.field(b"cookie")
    for name in [pair.partition("=")[0].strip() for pair in (jar or b"").decode("latin-1").split(";")][:_MOST]:
        if name:
            yield f"cookie.{name}", (cookie(jar, name.encode("latin-1")) or b"").decode("latin-1")
    body = sample.json("")
    for name, inside in list(body.items())[:_MOST] if isinstance(body, Mapping) else ():
        if not isinstance(inside, Mapping | list):
            yield f"body.{name}", str(inside)
