"""Checks a whole configuration and reports every problem at once, each with its path.

*Objects* are documents by kind and name, as a store holds them: `{"server": {"u1": {...}}}`. Files and the
REST interface speak of *lists*: `{"servers": [{"name": "u1", ...}]}`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from gproxy.core import grammar
from gproxy.core.expression import path_variable
from gproxy.core.model import MODELS, Api, Cluster, Part, Routing, Server, compact, field_names
from gproxy.core.pattern import Pattern
from gproxy.core.problem import Problem, shown, translated, unknown_field
from gproxy.core.references import references

Document = Mapping[str, Any]
Objects = Mapping[str, Mapping[str, Document]]

KINDS: Final = tuple(MODELS)
#: Kind -> its name in files, REST paths and problems.
PLURALS: Final = {kind: kind + "s" for kind in KINDS}
#: What a cluster may give its servers, but each server has once on a node -> what that does to the server.
ONE_PER_SERVER: Final = {"health_check": "check", "circuit_breaker": "protect"}


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a check. With problems, `entities` lacks the objects that are wrong in themselves.

    `sources` are the documents that were checked, so that a later check can tell what has not changed.
    """

    entities: Mapping[str, Mapping[str, Part]]
    problems: Sequence[Problem]
    sources: Objects

    def compact(self, kept: Objects) -> dict[str, dict[str, Document]]:
        """Return the objects as a store keeps them: without defaults, equal meaning in equal form.

        `kept` are documents that the store has already: a source that is one of them (`is`) stays as it is.
        """
        return {
            kind: {
                name: source if (source := self.sources[kind][name]) is stored.get(name) else compact(entity)
                for name, entity in entities.items()
            }
            for kind, entities in self.entities.items()
            for stored in (kept.get(kind, {}),)
        }


def check(objects: Objects, known: Checked | None = None) -> Checked:
    """Check all objects and how they refer to each other.

    An object that is the very same document (`is`) as in `known` is not looked at again.
    """
    problems = [Problem(kind, "is not supported by this version") for kind in objects if kind not in MODELS]
    entities: dict[str, dict[str, Part]] = {}
    for kind in KINDS:
        before = known.entities[kind] if known else {}
        sources = known.sources.get(kind, {}) if known else {}
        found = entities[kind] = {}
        for name, document in objects.get(kind, {}).items():
            entity = before.get(name) if sources.get(name) is document else None
            if entity is None:
                entity = _entity(kind, name, document, problems)
            if entity is not None:
                found[name] = entity
    problems.extend(_dangling(objects))
    for field, verb in ONE_PER_SERVER.items():
        problems.extend(_given_twice(entities, field, verb))
    problems.extend(_unfit_rules(entities))
    return Checked(entities, problems, objects)


def _entity(kind: str, name: str, document: Any, problems: list[Problem]) -> Part | None:
    root = f"{PLURALS[kind]}[{name}]"
    if not isinstance(document, Mapping):
        problems.append(Problem(root, f"must be an object, not {shown(document)}"))
        return None
    try:
        entity = MODELS[kind].model_validate({"name": name, **document})
    except ValidationError as error:
        problems.extend(translated(error, root, lambda location: field_names(kind, location)))
        return None
    if entity.name != name:
        problems.append(Problem(f"{root}.name", f'is "{entity.name}", but it is stored as "{name}"'))
        return None
    return entity


def _dangling(objects: Objects) -> Iterator[Problem]:
    """Yield the references to nothing.

    Reads the documents as they were given: one that is wrong in itself still refers and can be referred to.
    """
    for kind in KINDS:
        for name, document in objects.get(kind, {}).items():
            for place, target, wanted in references(kind, document):
                if wanted not in objects.get(target, {}):
                    yield Problem(f"{PLURALS[kind]}[{name}].{place}", f'there is no {target} "{wanted}"')


def _given_twice(entities: Mapping[str, Mapping[str, Part]], field: str, verb: str) -> Iterator[Problem]:
    """Yield the servers whose clusters differ in a `field` of which a server has one on a node."""
    first: dict[str, Cluster] = {}
    for cluster in entities["cluster"].values():
        if not isinstance(cluster, Cluster) or getattr(cluster, field) is None:
            continue
        for name in cluster.servers:
            server = entities["server"].get(name)
            if not isinstance(server, Server) or getattr(server, field) is not None:
                continue
            other = first.setdefault(name, cluster)
            if getattr(other, field) != getattr(cluster, field):
                both = f'the clusters "{other.name}" and "{cluster.name}" {verb} it differently'
                yield Problem(f"servers[{name}].{field}", f"{both}: give the server one of its own")


def _unfit_rules(entities: Mapping[str, Mapping[str, Part]]) -> Iterator[Problem]:
    """Yield what rules for one API say of that API although it is not so."""
    for rule in entities["routing"].values():
        api = entities["api"].get(rule.api or "") if isinstance(rule, Routing) else None
        if not isinstance(rule, Routing) or not isinstance(api, Api):
            continue
        root, names = f"{PLURALS['routing']}[{rule.name}]", Pattern.parse(api.path).names
        for field, expressions in (("all", rule.when.all), ("any", rule.when.any)):
            for index, text in enumerate(expressions):
                name = path_variable(text)
                if name is not None and name not in names and not _is_group(name, names):
                    yield Problem(f"{root}.when.{field}[{index}]", f"{api.path} has no variable {name}")
        attrs = [getattr(node, "attr", None) for node in api.nodes]
        if rule.node is None and len(attrs) > 1:
            yield Problem(f"{root}.node", f"is missing: {api.name} has the nodes {', '.join(map(str, attrs))}")
        if rule.node is not None and rule.node not in attrs:
            yield Problem(f"{root}.node", f'{api.name} has no node "{rule.node}"')


def _is_group(name: str, names: Sequence[str]) -> bool:
    return name.isdigit() and 0 < int(name) <= len(names)


def collect(lists: Any) -> tuple[dict[str, dict[str, Document]], list[Problem]]:
    """Turn lists (of a file or a request) into objects, for the kinds that are listed.

    What is checked here is the frame: known lists of objects, each with a name of its own. When that is wrong, the
    problems that objects have in themselves are reported as well.
    """
    if not isinstance(lists, Mapping):
        wanted = ", ".join(PLURALS.values())
        return {}, [Problem("file", f"must be an object with the lists {wanted}, not {shown(lists)}")]
    kinds = {plural: kind for kind, plural in PLURALS.items()}
    objects: dict[str, dict[str, Document]] = {}
    problems: list[Problem] = []
    for key, items in lists.items():
        if key not in kinds:
            problems.append(unknown_field("file", (key,), kinds))
        elif not isinstance(items, list):
            problems.append(Problem(key, f"must be a list, not {shown(items)}"))
        else:
            objects[kinds[key]] = _named(kinds[key], items, problems)
    if problems:
        for kind, documents in objects.items():
            for name, document in documents.items():
                _entity(kind, name, document, problems)
    return objects, problems


def _named(kind: str, items: list[Any], problems: list[Problem]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for index, document in enumerate(items):
        path = f"{PLURALS[kind]}[{index}]"
        if not isinstance(document, Mapping):
            problems.append(Problem(path, f"must be an object, not {shown(document)}"))
            continue
        name = document.get("name", _default_name(kind, document))
        if name is None:
            problems.append(Problem(f"{path}.name", "is missing"))
        elif not isinstance(name, str):
            problems.append(Problem(f"{path}.name", f"must be text, not {shown(name)}"))
        elif name in found:
            problems.append(Problem(f"{PLURALS[kind]}[{name}]", "is listed twice"))
        else:
            found[name] = document
    return found


def _default_name(kind: str, document: Document) -> str | None:
    """A server is named after its address when that is a name (it is not for IPv6 and unix sockets)."""
    address = document.get("address")
    if kind == "server" and isinstance(address, str) and grammar.NAME.fullmatch(address):
        return address
    return None
