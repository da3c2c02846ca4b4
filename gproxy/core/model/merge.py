"""How several nodes make one answer: `merge` of an API, and what its nodes must agree in."""

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator

from gproxy.core.model.base import Part, Problems
from gproxy.core.rewrite import Rewrite, families


def _group(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


class Merge(Part):
    """What becomes of the parts. `flatten` puts the fields of all together, `group` puts everything under a name.

    `on_failure` says what a failing node does to the whole that does not say `required` itself: `fail` it, leave it
    `partial` with the node's default or null, or let the node's `default` count as good (without one the whole fails).
    """

    on_failure: Literal["fail", "partial", "default"] = "fail"
    flatten: bool = False
    group: Annotated[str, AfterValidator(_group)] | None = None


class Node(Protocol):
    """What is looked at of a node."""

    attr: str | None
    batch: int
    required: bool | None
    rewrite: str | None
    select: tuple[str, ...]
    rename: dict[str, str]

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were given."""
        ...


_PASSES = "is given, but the only node has no attr: its answer passes as it is"


def problems(nodes: Sequence[Node], merge: Merge | None) -> Problems:
    """Yield what is wrong with the nodes of an API together, each with its place in the document."""
    if not nodes and merge is not None:
        yield ("merge",), "is given, but there are no nodes"
    if len(nodes) == 1 and nodes[0].attr is None:
        node = nodes[0]
        about_a_part = {
            "batch": node.batch > 0,
            "required": node.required is not None,
            "default": "default" in node.model_fields_set,
            "select": bool(node.select),
            "rename": bool(node.rename),
        }
        yield from ((("nodes", 0, name), _PASSES) for name, is_given in about_a_part.items() if is_given)
        if merge is not None:
            yield ("merge",), _PASSES
        return
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        if node.attr is None:
            yield ("nodes", index, "attr"), "is missing: the nodes of an API with several need names for their parts"
        elif node.attr in seen:
            yield ("nodes", index, "attr"), f'"{node.attr}" is the attr of another node too'
        else:
            seen.add(node.attr)
        yield from _idle_default(index, node, merge)


def _idle_default(index: int, node: Node, merge: Merge | None) -> Problems:
    if "default" not in node.model_fields_set:
        return
    place = ("nodes", index, "default")
    if node.required:
        yield place, "never stands in: required is true"
    elif node.required is None and (merge is None or merge.on_failure == "fail"):
        yield place, "never stands in: merge.on_failure is fail, and required is not false"


def earlier(nodes: Sequence[Node], node: Node) -> list[str]:
    """Return the parts that the rewrite of a node can use: those of the batches before."""
    return [other.attr for other in nodes if other.attr is not None and other.batch < node.batch]


def rewrite_problems(nodes: Sequence[Node]) -> Problems:
    """Yield the rewrites that use parts which are not there, or not yet."""
    attrs = {node.attr: node.batch for node in nodes if node.attr is not None}
    for index, node in enumerate(nodes):
        if node.rewrite is None:
            continue
        known = earlier(nodes, node)
        late = [name for name in families(node.rewrite) if name in attrs and name not in known]
        for name in late:
            text = f"uses {name}, which is of batch {attrs[name]}: only parts of batches before {node.batch} are there"
            yield ("nodes", index, "rewrite"), text
        if not late:
            try:
                Rewrite.compile(node.rewrite, known)
            except ValueError as error:
                yield ("nodes", index, "rewrite"), str(error)
