"""An HTTP/2 client on the same loop as the worker: frames by h2, every step spelled out by the test."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Self

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import GoAwayFrame

from tests.worker.peer import Peer, limited

#: GOAWAY that is none yet: the last stream it names is the greatest there can be (RFC 9113 6.8)
HINT = GoAwayFrame(0, last_stream_id=(1 << 31) - 1).serialize()


class Http2Peer:
    """One connection. `answers` has status, fields and body by stream; `ended` and `resets` how streams ended."""

    def __init__(self, peer: Peer, window: int = 1 << 20) -> None:
        self.peer = peer
        self.h2 = H2Connection(
            H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self.heads: dict[int, dict[str, str]] = {}
        self.interim: dict[int, list[dict[str, str]]] = defaultdict(list)
        self.bodies: dict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goodbye: int | None = None
        self.takes = True
        self.hints = 0
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(window)
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.close()

    def flush(self) -> None:
        """Send what h2 wants to say."""
        self.peer.send(self.h2.data_to_send())

    def request(self, path: str = "/", method: str = "GET", ends: bool = True, **fields: str) -> int:
        """Begin a request and return its stream."""
        number = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "a")]
        self.h2.send_headers(
            number, [*pseudo, *((key.replace("_", "-"), value) for key, value in fields.items())], ends
        )
        self.flush()
        return number

    def send(self, number: int, data: bytes, ends: bool = False) -> None:
        """Send a piece of a body, as the windows allow."""
        while data:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if not room:
                self.step()
                continue
            self.h2.send_data(number, data[:room], ends and room >= len(data))
            data = data[room:]
            self.flush()

    def step(self) -> bool:
        """Read once; False at the end of the connection."""
        data = self.peer.sock.recv(65536)
        if HINT in data:  # h2 would take it for the end
            self.hints += 1
            data = data.replace(HINT, b"")
            if not data:
                return True
        for event in self.h2.receive_data(data) if data else ():
            self._note(event)
        self.flush() if data else None
        return bool(data)

    def wait(self, number: int) -> tuple[int, bytes]:
        """Read until a stream has ended; return its status and body."""
        with limited():
            while number not in self.ended and number not in self.resets:
                assert self.step(), "the connection has ended"
        assert number in self.ended, f"stream {number} was reset: {self.resets}"
        return int(self.heads[number][":status"]), self.bodies[number]

    def wait_for_end(self) -> None:
        """Read until the connection has ended."""
        with limited():
            while self.step():
                pass

    def _note(self, event: Any) -> None:
        if isinstance(event, events.ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, events.InformationalResponseReceived):
            self.interim[event.stream_id].append(dict(event.headers))
        elif isinstance(event, events.DataReceived):
            self.bodies[event.stream_id] += event.data
            if self.takes:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, events.StreamReset):
            self.resets[event.stream_id] = event.error_code
        elif isinstance(event, events.ConnectionTerminated):
            self.goodbye = event.error_code
