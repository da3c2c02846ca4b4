"""The part of one node of an aggregation: what its server is asked, and how its answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gproxy.core import json_text
from gproxy.core.errors import BadUpstream
from gproxy.core.json_check import no_rest
from gproxy.core.merge import BODILESS
from gproxy.core.part_fields import part_fields
from gproxy.core.part_head import PartHead, part_head
from gproxy.core.part_text import part_text, uncoded
from gproxy.core.rewrite import BadValue
from gproxy.worker.aside import aside
from gproxy.worker.part import Part
from gproxy.worker.turns import Turns

if TYPE_CHECKING:
    from gproxy.core.json_check import Rest
    from gproxy.core.json_text import Text
    from gproxy.core.snapshot import Api
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.gathering import Gathering
    from gproxy.worker.runtime import Runtime

#: Coded bodies larger than this are decoded by a thread.
_SMALL_BYTES: Final = 16_384
#: Work on more than this is done in slices.
LARGE_BYTES: Final = 131_072


class NodePart(Part):
    """What one node has to say. `came` is None until it is known whether it did.

    `text` is its JSON in the whole, or what stands in for it. `lines` is the head of its answer, `seen` what of it
    counts for the whole. `earlier` are the parts of the batches before by their names. `gathering` is told when it is
    known what became of it, the part at `place`; that was at `over_s`, 0 until then.
    """

    __slots__ = ("came", "earlier", "gathering", "lines", "over_s", "place", "rule", "seen", "text")

    def __init__(self, whole: Exchange, api: Api, place: int, earlier: Mapping[str, NodePart]) -> None:
        assert api.merge is not None
        node = api.nodes[place]
        super().__init__(whole, node, whole.client.runtime.part_bytes, whole.whole)
        self.place = place
        self.rule = rule = api.merge.parts[place]
        self.earlier = earlier
        self.came: bool | None = None
        self.text: Text = rule.stand_in
        self.lines = b""
        self.seen: PartHead | None = None
        self.gathering: Gathering | None = None
        self.over_s = 0.0
        self.attempts = 0
        if node.total_s:
            self.deadline = min(self.deadline, self.started + node.total_s)

    @property
    def took_ms(self) -> int:
        """How long it took in milliseconds; 0 until it is over."""
        return round((self.over_s - self.started) * 1000) if self.over_s else 0

    def part(self, name: str, path: tuple[str, ...]) -> bytes | None:
        """Return the plain value at a path of an earlier part, None when there is none."""
        return json_text.plain(json_text.at(self.earlier[name].text, path))

    def prepare(self, lines: bytes, own: bytes, forwards: dict[bytes | None, bytes]) -> None:
        """Make the request of the field lines of the whole and the gateway's own.

        `forwards` are those that were made already for parts of the same whole, by the methods of their nodes.
        Without a value for its rewrite the part has failed.

        If that is missing because an earlier part failed, it is that part's failure.
        """
        method = self.node.method
        if self.method == b"HEAD":
            self.method = b"GET"
        takes_body = method is None or method not in BODILESS
        forward = forwards.get(method)
        if forward is None:
            forward = part_fields(lines, self.method, takes_body, self.fields.length != 0) + own
            forwards[method] = forward
        self.forward = forward
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
        self.over_s = now_s
        if self.came is None:
            self.came = False
        gathering, self.gathering = self.gathering, None  # it knows all parts: a cycle
        if gathering is not None:
            gathering.over(self.place)

    def judge(self, seen: PartHead | None = None) -> None:
        """Read the answer. One of 400 and above is one, and no part; other ones that are no part raise BadUpstream."""
        assert self.head is not None
        lines = self.head.lines
        for after in self.node.after:
            lines = after(self, lines)
        self.lines = lines
        if 200 <= self.status < 300:
            if seen is None or lines is not self.head.lines:
                seen = part_head(lines)
            data = self._uncoded(seen.coding) if seen.coding else self.data
            rest = turns(self.client.runtime) if len(data) > LARGE_BYTES else no_rest
            text: Text = part_text(seen, data, rest)
            self.text = text if self.rule.shape is None else self.rule.shape.apply(text, rest)
            self.seen = seen
            self.came = True
        elif self.status < 400:
            raise BadUpstream("A server's answer is not what was asked for.", f"status {self.status}")

    def _uncoded(self, coding: bytes) -> bytes:
        """Return the body without its content coding; that of a large one is undone in a thread, beside the loop."""
        arguments = coding, self.data, self.most
        try:
            if len(self.data) <= _SMALL_BYTES:
                return uncoded(*arguments)
            return aside(uncoded, *arguments)
        except ValueError as error:
            raise BadUpstream("A server's answer cannot be read.", str(error)) from None


def turns(runtime: Runtime) -> Rest:
    """Return what work on much does between its steps: it lets the loop have its turn."""
    found = Turns(runtime.next_turn)
    found.begin()
    return found.rest_if_due
