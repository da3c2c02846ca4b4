"""An explanation as text: what was asked, the routes, the filters, and where the request would go."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def view(told: Document) -> Iterator[str]:
    """Yield the lines of an answer of /explain."""
    yield from _request(told)
    yield from _routes(told)
    if told["api"] is not None:
        yield from _api(told)
    yield ""
    yield _answer(told["answer"])


def _request(told: Document) -> Iterator[str]:
    asked = told["request"]
    if asked is not None:
        query = f"?{asked['query']}" if asked["query"] else ""
        revision = told["revision"]
        at = f" at revision {revision} of the configuration" if revision is not None else ""
        yield f"{asked['method']} {asked['host']}{asked['path']}{query} from {asked['client_ip']}{at}"


def _routes(told: Document) -> Iterator[str]:
    if told.get("path_problem"):
        yield f"the path is not acceptable: {told['path_problem']}"
    if told["candidates"]:
        yield ""
        yield "APIs, in order:"
    for one in told["candidates"]:
        mark = "->" if one["chosen"] else "  "
        limits = [*one["hosts"], *one["methods"]]
        of = f" [{' '.join(limits)}]" if limits else ""
        yield f" {mark} {one['api']}  {one['path']}{of}: {one['reason']}"
    if told.get("candidates_left_out"):
        yield f"    ... and {told['candidates_left_out']} more that do not match"


def _api(told: Document) -> Iterator[str]:
    if told["variables"]:
        yield ""
        yield "variables of the path:"
        for name, value in told["variables"].items():
            yield f"    {name} = {value}"
    if told["filters"] or told.get("own_filters"):
        yield ""
        yield "filters:"
        for one in told["filters"]:
            yield f"    {one['filter']}: {one['verdict']}{_said(one['answer'])}"
        for name in told.get("own_filters", ()):
            yield f"    {name}: runs in the workers only"
    state = told["api"]
    if state["circuit"] or state["most"]:
        yield ""
        yield f"API {state['name']}: {_load(state)}"
    if told.get("cache"):
        yield ""
        yield f"stored answers: {_stored(told['cache'])}"
    for node in told["nodes"]:
        yield from _node(node)


def _node(node: Document) -> Iterator[str]:
    if node["rules"]:
        yield ""
        yield "routing rules, in order:"
    for rule in node["rules"]:
        yield f" {'->' if rule['taken'] else '  '} {rule['rule']} to cluster {rule['cluster']}: {rule['reason']}"
    yield ""
    rewritten = f"  (by {node['rewrite']})" if node["rewrite"] else ""
    part = f"part {node['attr']} of batch {node['batch']}{_failing(node)}: " if node.get("attr") else ""
    yield f"{part}cluster {node['cluster']}, {node['policy']}: {node['method']} {node['target']}{rewritten}"
    if node.get("cache"):
        yield f"    stored answers: {_stored(node['cache'])}"
    for server in node["servers"]:
        mark = "  " if server["usable"] else " x"
        backup = ", backup" if server["backup"] else ""
        against = f": {'; '.join(server['against'])}" if server["against"] else ""
        what = f"{server['name']}  {server['address']}  weight {server['weight']}{backup}"
        yield f" {mark} {what}, {_load(server)}{against}"
    if not node["servers"]:
        yield "    it has no servers"


def _failing(node: Document) -> str:
    """Say what the failure of a part means."""
    if node["required"]:
        return ", needed"
    return f", {json.dumps(node['default'])} stands in" if "default" in node else ""


def _load(state: Document) -> str:
    parts = [f"{state['in_flight']} in flight" + (f" of {state['most']}" if state["most"] else "")]
    if state.get("health", "unknown") != "unknown":
        parts.append(f"health {state['health']}")
    if state["circuit"]:
        parts.append(f"circuit {state['circuit']}")
    return ", ".join(parts)


def _stored(verdict: Document) -> str:
    """Say what the store has to do with it."""
    text = f"{verdict['verdict']}, {verdict['reason']}"
    if "age_s" not in verdict:
        return text
    stands_in = ", stands in when the server fails" if verdict["stands_in"] and verdict["verdict"] != "hit" else ""
    return f"{text}: {verdict['age_s']} s old, fresh for {verdict['fresh_s']} s{stands_in}"


def _said(answer: Document | None) -> str:
    return "" if answer is None else f" {answer['status']}"


def _answer(answer: Document) -> str:
    if answer["kind"] == "proxied":
        return "It would be sent on."
    if answer["kind"] == "stored":
        return f"A stored answer would be given: {answer['status']}."
    if answer["kind"] == "replied":
        return f"The gateway would answer {answer['status']} by itself."
    reason = f" ({answer['reason']})" if answer["reason"] else ""
    return f"The gateway would refuse it: {answer['status']} {answer['code']}: {answer['detail']}{reason}"
