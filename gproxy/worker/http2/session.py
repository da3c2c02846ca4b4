"""One HTTP/2 connection of a client: frames in, frames out, and a stream for each request.

Bytes are read and written by callbacks of the loop; only the stories of the streams have greenlets. What a client does
not take is not read from servers: each stream stops at its window, and all of them while much waits to be written.
A client that only keeps us busy (resets, pings, settings, empty frames) is told to calm down and disconnected.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.http2.connection import Connection
from gproxy.worker.http2.stream import Headers, Stream
from gproxy.worker.link import READ, RECV_BYTES, WOULD_BLOCK, WRITE, hub

if TYPE_CHECKING:
    from gproxy.worker.connection import Client
    from gproxy.worker.forwarded import Origin
    from gproxy.worker.runtime import Runtime

#: what clients may send ahead, in all streams of a connection together: it bounds the memory of one
_WINDOW_BYTES: Final = 1 << 20
#: bytes that may wait to be written before the streams pause
_MOST_WAITING: Final = 1 << 17
#: pieces read before the loop looks at other connections
_MOST_PIECES: Final = 4
#: resets beyond the answers that were taken (CVE-2023-44487), and frames a second that ask for nothing
_MOST_RESETS: Final = 100
_MOST_IDLE_FRAMES: Final = 200
#: how long to wait for a moment without requests, when nothing limits how long a worker may take to leave
_HINT_S: Final = 30.0
#: the greatest stream there can be: "not yet" in a first GOAWAY (RFC 9113 6.8)
_LAST_STREAM: Final = (1 << 31) - 1
_IDLE_EVENTS: Final = (events.PingReceived, events.RemoteSettingsChanged, events.PriorityUpdated)


class Session:
    """The connection of `client`, which must not be read by anybody else any more."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.runtime: Runtime = client.runtime
        self.origin: Origin = client.origin
        self.desk = client.desk
        self.deadline = NEVER
        self.due = NEVER
        self._h2 = Connection()
        #: those that have not sent anything for longest come first
        self._streams: dict[int, Stream] = {}
        #: whose windows the client has opened, None: that of all
        self._opened: set[Stream | None] = set()
        self._out = bytearray()
        #: bytes of bodies that h2 has, and `_out` has not yet
        self._framed = 0
        self._pending = getattr(client.wire, "pending", None)
        self._is_flushing = self._is_writing = self._is_over = self._has_said_goodbye = False
        self._hints_at = NEVER
        self._answered = self._resets = self._idle_frames = 0
        self._second = 0.0
        client.disarm()
        client.deadlines.forget(client)
        self._reading = hub.loop.io(client.wire.fileno(), READ)
        self._writing = hub.loop.io(client.wire.fileno(), WRITE)

    def begin(self, data: bytes) -> None:
        """Take over the connection, of which `data` was read already."""
        runtime = self.runtime
        runtime.sessions.add(self)
        runtime.count(layout.HTTP2_CONNECTIONS)
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: runtime.settings.limits.http2_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: min(runtime.head_bytes, 1 << 24),
                SettingCodes.ENABLE_PUSH: 0,
            }
        )
        self._h2.increment_flow_control_window(_WINDOW_BYTES - 65_535)
        self._reading.start(self._readable)
        hub.loop.run_callback(self._start, data)

    def drain(self) -> None:
        """Let the connection end in the next moment without a request, or when the client has taken a hint.

        The hint comes late, because there are clients that give up what they have asked for when they get it.
        """
        self._hints_at = monotonic() + (self.runtime.settings.gproxy.graceful_timeout_s or _HINT_S) / 2
        self._leave_if_idle()
        self._rest()

    def expire(self) -> None:
        """Called by the wheel: nothing to do for too long, nothing taken for too long, or time for a hint."""
        if self._is_writing:
            self._close("took no byte in time")
        elif self._streams:
            self._hints_at = NEVER
            self._say_goodbye(_LAST_STREAM)
        else:
            if not self._has_said_goodbye:
                self._say_goodbye(self._h2.highest_inbound_stream_id)
            self._close("idle")

    # -- for the streams -------------------------------------------------------------------------------------------

    def acknowledge(self, number: int, size: int) -> None:
        """Let the client send as much again as was read from its window."""
        self._do(self._h2.acknowledge_received_data, size, number)

    def send_headers(self, number: int, headers: Headers, ends: bool) -> None:
        """Send the head of a response."""
        self._do(self._h2.send_headers, number, headers, ends)

    def send_data(self, number: int, data: bytes, ends: bool) -> None:
        """Send a piece of a body, for which there must be room."""
        if number in self._streams:
            self._streams[number] = self._streams.pop(number)
        self._do(self._h2.send_data, number, data, ends)
        if self._is_flushing:
            self._framed += len(data)

    def reset(self, number: int, code: ErrorCodes) -> None:
        """End a stream in the middle."""
        self._do(self._h2.reset_stream, number, code)

    def room(self, number: int) -> int:
        """Return how many bytes of a body may be sent now."""
        if len(self._out) + self._framed > _MOST_WAITING:
            return 0
        try:
            return min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
        except ProtocolError:
            return 1 << 14  # the stream is over: sending will tell

    def over(self, stream: Stream) -> None:
        """A stream has done its work."""
        self._streams.pop(stream.number, None)
        self._answered += 1
        if not self._streams and not self._is_over:
            self._leave_if_idle()
            self._rest()

    def _do(self, action: Callable[..., object], *arguments: Any) -> None:
        """Do something that makes frames; on a stream or a connection that is over it has no effect."""
        try:
            action(*arguments)
        except ProtocolError:
            return
        if not self._is_flushing:
            self._is_flushing = True
            hub.loop.run_callback(self._flush)

    # -- from the client -------------------------------------------------------------------------------------------

    def _start(self, data: bytes) -> None:
        if data:
            self._take(data)
        if self._pending is not None:
            self._readable()
        if not self._is_over and not self._streams:
            self.runtime.deadlines.set(self, monotonic() + self.runtime.head_s)
        self._flush()

    def _readable(self) -> None:
        for _ in range(_MOST_PIECES):
            if self._is_over:
                return
            try:
                data = self.client._recv(RECV_BYTES)
            except WOULD_BLOCK:
                return
            except OSError as error:
                self._close(str(error))
                return
            if not data:
                self._close("closed by the client")
                return
            self._take(data)
            if self._pending is None:
                return
        self.runtime.next_turn.add(self._readable)

    def _take(self, data: bytes) -> None:
        try:
            happened = self._h2.receive_data(data)
        except ProtocolError as error:  # h2 has made a GOAWAY of it
            self._give_up(str(error))
            return
        fresh: list[Stream] = []
        for event in happened:
            self._note(event, fresh)
        self._make_room()
        for stream in fresh:
            self.runtime.start(stream.run)
        self._flush()

    def _note(self, event: events.Event, fresh: list[Stream]) -> None:
        stream = self._streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, events.DataReceived):
            if stream is not None:
                stream.take(event.data, event.flow_controlled_length)
            else:
                self.acknowledge(event.stream_id, event.flow_controlled_length)
            if not event.data:
                self._count_idle_frame()
        elif isinstance(event, events.StreamEnded):
            if stream is not None:
                stream.finish()
        elif isinstance(event, events.RequestReceived):
            self._open(event, fresh)
        elif isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
            self._opened.add(stream)
        elif isinstance(event, events.StreamReset):
            self._count_reset(stream)
        elif isinstance(event, events.ConnectionTerminated) and (event.error_code or not self._streams):
            self._close("the client has said goodbye")
        if isinstance(event, _IDLE_EVENTS):
            self._count_idle_frame()

    def _open(self, event: events.RequestReceived, fresh: list[Stream]) -> None:
        if self._has_said_goodbye or self._is_over:  # the client learns from it that this one was not looked at
            return
        most = 2 * self.runtime.settings.limits.http2_streams  # before a client knows our limit, or against it
        if len(self._streams) >= most:
            self.reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        stream = Stream(self, event.stream_id, event.headers)
        self._streams[stream.number] = stream
        self._rest()
        fresh.append(stream)

    def _make_room(self) -> None:
        """Let those go on for whom there may be room: once, however often the client says so."""
        opened, self._opened = self._opened, set()
        for stream in list(self._streams.values()) if None in opened else opened:
            if stream is not None:
                stream.may_send()

    def _count_reset(self, stream: Stream | None) -> None:
        self._resets += 1
        if stream is not None:
            stream.leave()
        if self._resets > _MOST_RESETS + self._answered - self._resets:
            self._calm_down("too many streams were reset")

    def _count_idle_frame(self) -> None:
        now = monotonic()
        if now - self._second > 1:
            self._second, self._idle_frames = now, 0
        self._idle_frames += 1
        if self._idle_frames > _MOST_IDLE_FRAMES:
            self._calm_down("too many frames that ask for nothing")

    def _calm_down(self, reason: str) -> None:
        if not self._is_over:
            self.runtime.count(layout.HTTP2_ABUSE)
            self._do(self._h2.close_connection, ErrorCodes.ENHANCE_YOUR_CALM)
            self._give_up(reason)

    # -- to the client ---------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._is_flushing = False
        if self._is_over:
            return
        self._out += self._h2.data_to_send()
        self._framed = 0
        if self._out and not self._is_writing:
            self._write()

    def _write(self) -> None:
        was_full = len(self._out) > _MOST_WAITING
        try:
            with memoryview(self._out) as waiting:
                sent = self.client._send(waiting)
        except WOULD_BLOCK:
            sent = 0
        except OSError as error:
            self._close(str(error))
            return
        del self._out[:sent]
        if self._out:
            self.runtime.deadlines.set(self, monotonic() + self.runtime.deadlines.stall_s)
            if not self._is_writing:
                self._is_writing = True
                self._writing.start(self._write)
        elif self._is_writing:
            self._is_writing = False
            self._writing.stop()
            self._rest()
        if was_full and len(self._out) <= _MOST_WAITING:
            self._opened.add(None)
            self._make_room()

    def _leave_if_idle(self) -> None:
        """Say goodbye when the worker leaves and nothing is in flight: what comes from now on is not looked at.

        Not before a first request, which may be under way: there are clients that do not ask again when none of
        their streams was looked at. Without one the connection ends when it has been idle.
        """
        last = self._h2.highest_inbound_stream_id
        if last and self.runtime.draining and not self._streams and not self._has_said_goodbye:
            self._has_said_goodbye = True
            self._say_goodbye(last)

    def _say_goodbye(self, last_stream: int) -> None:
        """Say GOAWAY without h2, for which the connection would be over then (RFC 9113 6.8)."""
        self._out += self._h2.data_to_send() + GoAwayFrame(0, last_stream_id=last_stream).serialize()
        self._flush()

    def _rest(self) -> None:
        """Set how long the connection may have nothing to do."""
        if not self._is_writing:
            idle_s = self.runtime.client_idle_s
            self.runtime.deadlines.set(self, self._hints_at if self._streams else monotonic() + idle_s)

    def _give_up(self, reason: str) -> None:
        """End because of what the client did, in a way that lets it read the last word."""
        self._flush()
        self._end(reason, self.client.linger)

    def _close(self, reason: str) -> None:
        self._end(reason, self.client.close)

    def _end(self, reason: str, how: Callable[[], None]) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.runtime.sessions.discard(self)
        self.runtime.deadlines.forget(self)
        for watcher in (self._reading, self._writing):
            watcher.stop()
            watcher.close()
        if not self.client.closed:
            how()
        for stream in list(self._streams.values()):
            stream.leave(reason)
