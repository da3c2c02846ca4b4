from typing import Any

from gproxy.core.backends import Cluster, Timeouts, compile_cluster
from gproxy.core.model import MODELS, normalised
from gproxy.core.node import Node, Terms
from gproxy.core.retry import Retry
from gproxy.core.rewrite import Rewrite
from gproxy.core.rule import Rule

DEFAULTS = Timeouts(3, 30, 0)


def cluster(**fields: Any) -> Cluster:
    return compile_cluster(normalised(MODELS["cluster"].model_validate({"name": "c", **fields})), {})


def terms(**fields: Any) -> Terms:
    given = {"timeouts": Timeouts(), "retry": None, "preserve_host": True, "rewrite": None, "after": ()}
    return Terms(**{**given, "is_free": True, **fields})


def node(of: Cluster, terms: Terms, **fields: Any) -> Node:
    document = {"name": "a", "path": "/*", "nodes": [{"cluster": "c", **fields}]}
    return Node.compiled(normalised(MODELS["api"].model_validate(document))["nodes"][0], of, terms, DEFAULTS)


def test_a_node_with_nothing_special_is_plain() -> None:
    made = node(cluster(), terms())
    assert (made.is_plain, made.method, made.rewrite, made.after) == (True, None, None, ())
    assert (made.connect_s, made.response_s, made.total_s) == (3, 30, 0)


def test_what_takes_a_closer_look_is_not_plain() -> None:
    assert not node(cluster(), terms(is_free=False)).is_plain
    assert not node(cluster(retry={}), terms()).is_plain
    assert not node(cluster(load_balance="random"), terms()).is_plain


def test_a_node_s_own_rewrite_comes_before_that_of_its_api() -> None:
    of_api = Rewrite.compile("/api")
    assert node(cluster(), terms(rewrite=of_api)).rewrite is of_api
    made = node(cluster(), terms(rewrite=of_api), rewrite="/node", method="post")
    assert (made.rewrite and made.rewrite.text, made.method) == ("/node", b"POST")


def test_another_cluster_brings_its_own_defaults() -> None:
    retry = Retry.compiled({**normalised(MODELS["cluster"].model_validate({"name": "c", "retry": {}}))["retry"]})
    first = node(cluster(), terms(timeouts=Timeouts(response_s=5)), rewrite="/x")
    other = cluster(load_balance="random", retry={}, timeouts={"response_s": 1, "total_s": 9})
    second = first.towards(other, DEFAULTS)
    assert (second.cluster, second.is_plain, second.retry, second.rewrite) == (other, False, retry, first.rewrite)
    assert (second.connect_s, second.response_s, second.total_s) == (3, 5, 9)


def test_marks_are_made_behind_the_edits_of_the_api() -> None:
    def edit(exchange: Any, head: bytes) -> bytes:
        return head + b"E"

    made = node(cluster(retry={"report": True}, sticky_cookie="sid"), terms(after=(edit,)))
    assert made.after[0] is edit
    assert len(made.after) == 3


def test_copies_go_once_and_unseen() -> None:
    other = cluster(retry={"report": True}, sticky_cookie="sid")
    made = []
    for fields in ({}, {"action": "mirror", "compare": {}}):
        document = normalised(MODELS["routing"].model_validate({"name": "r", "cluster": "c", **fields}))
        rule = Rule.compiled(document, 0, {"c": other})
        assert rule is not None
        made.append(rule)
    node_of = node(cluster(), terms()).under(made, "", DEFAULTS)
    split, mirror = (way.node for way in node_of.ways)
    assert (mirror.retry, mirror.after, mirror.taps, mirror.is_mirrored) == (None, (), (), False)
    assert (len(split.after), len(split.taps), split.is_mirrored) == (2, 1, True)
    assert (len(node_of.taps), node_of.is_mirrored) == (1, True)
    alone = node(cluster(), terms()).under(made[:1], "", DEFAULTS)
    assert (alone.taps, alone.is_mirrored, alone.ways[0].node.taps) == ((), False, ())


def test_rules_lead_to_other_clusters_on_the_same_terms() -> None:
    other = cluster(timeouts={"total_s": 9})
    document = normalised(MODELS["routing"].model_validate({"name": "r", "cluster": "c"}))
    rule = Rule.compiled(document, 0, {"c": other})
    assert rule is not None
    first = node(cluster(), terms(), rewrite="/x")
    assert first.under((), "", DEFAULTS) is first
    second = first.under((rule,), "user", DEFAULTS)
    assert (second.attr, second.is_plain, second.is_direct, second.cluster) == ("user", False, False, first.cluster)
    (way,) = second.ways
    assert way.rule is rule
    assert (way.node.cluster, way.node.rewrite, way.node.total_s) == (other, first.rewrite, 9)
    assert way.node.is_direct
    assert (way.node.ways, way.node.is_led, way.node.attr) == ((), True, "user")
    assert second.own is not None
    assert (second.own.cluster, second.own.ways, second.own.is_led) == (first.cluster, (), True)
    assert (second.own.is_direct, second.own.is_plain, second.is_led) == (True, False, False)
