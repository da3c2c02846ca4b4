"""The part of one node of an aggregation: what its server is asked, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from gproxy.core import json_text
from gproxy.core.errors import BadUpstream
from gproxy.core.merge import BODILESS, PartRule
from gproxy.core.part_fields import part_fields
from gproxy.core.part_head import PartHead, part_head
from gproxy.core.part_text import part_text, uncoded
from gproxy.core.rewrite import BadValue
from gproxy.worker.link import hub
from gproxy.worker.part import Part

if TYPE_CHECKING:
    from gproxy.core.json_text import Text
    from gproxy.core.node import Node
    from gproxy.worker.exchange import Exchange

#: Coded bodies larger than this are decoded by a thread.
_SMALL_BYTES: Final = 16_384


class NodePart(Part):
    """What one node has to say. `came` is None until it is known whether it did.

    `text` is its JSON in the whole, or what stands in for it. `lines` is the head of its answer, `seen` what of it
    counts for the whole. `earlier` are the parts of the batches before by their names. `over` is called when it is
    known what became of it.
    """

    __slots__ = ("came", "earlier", "lines", "over", "rule", "seen", "text", "took_ms")

    def __init__(self, whole: Exchange, node: Node, rule: PartRule, earlier: Mapping[str, NodePart]) -> None:
        super().__init__(whole, node, whole.client.runtime.part_bytes)
        self.rule = rule
        self.earlier = earlier
        self.came: bool | None = None
        self.text: Text = rule.stand_in
        self.lines = b""
        self.seen: PartHead | None = None
        self.over: Callable[[], None] | None = None
        self.took_ms = 0
        self.attempts = 0
        if node.total_s:
            self.deadline = min(self.deadline, self.started + node.total_s)

    def part(self, name: str, path: tuple[str, ...]) -> bytes | None:
        """Return the plain value at a path of an earlier part, None when there is none."""
        return json_text.plain(json_text.at(self.earlier[name].text, path))

    def prepare(self, lines: bytes, own: bytes) -> None:
        """Make the request of the field lines of the whole and the gateway's own.

        Without a value for its rewrite the part has failed.

        If that is missing because an earlier part failed, it is that part's failure.
        """
        method = self.node.method
        if self.method == b"HEAD":
            self.method = b"GET"
        takes_body = method is None or method not in BODILESS
        self.forward = part_fields(lines, self.method, takes_body, self.fields.length != 0) + own
        if not takes_body:
            self.body = b""
        if self.node.rewrite is not None:
            try:
                self.rewritten = self.node.rewrite.target(self)
            except BadValue as error:
                self.came = False
                self.fail(error)
                missing = [self.earlier[name] for name in self.rule.needs if name in self.earlier]
                self._fail_like(next((other for other in missing if not other.came), self))

    def _fail_like(self, other: NodePart) -> None:
        self.status, self.code, self.reason, self.failure = other.status, other.code, other.reason, other.failure
        self.head, self.lines, self.data = other.head, other.lines, other.data

    def ended(self, now_s: float) -> None:
        """Say that the part is over, whether it came or not."""
        self.took_ms = round((now_s - self.started) * 1000)
        if self.came is None:
            self.came = False
        over, self.over = self.over, None  # it knows all parts: a cycle
        if over is not None:
            over()

    def judge(self) -> None:
        """Read the answer. One of 400 and above is one, and no part; other ones that are no part raise BadUpstream."""
        assert self.head is not None
        lines = self.head.lines
        for after in self.node.after:
            lines = after(self, lines)
        self.lines = lines
        if 200 <= self.status < 300:
            self._read(part_head(lines))
        elif self.status < 400:
            raise BadUpstream("A server's answer is not what was asked for.", f"status {self.status}")

    def _read(self, head: PartHead) -> None:
        data = self.data
        if head.coding:
            try:
                decode = uncoded if len(data) <= _SMALL_BYTES else _uncoded_by_a_thread
                data = decode(head.coding, data, self.most)
            except ValueError as error:
                raise BadUpstream("A server's answer cannot be read.", str(error)) from None
        text = part_text(head, data)
        self.text = text if self.rule.shape is None else self.rule.shape.apply(text)
        self.seen = head
        self.came = True


def _uncoded_by_a_thread(coding: bytes, data: bytes, most: int) -> bytes:
    found: bytes = hub.threadpool.apply(uncoded, (coding, data, most))
    return found
