"""What h2 would end a connection for, and this one does not: two ends in memory."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, RequestReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from gproxy.worker.http2.connection import Connection

GET = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")]


class Line:
    """Both ends of a connection, with settings that both know."""

    def __init__(self) -> None:
        self.ours, self.client = Connection(), H2Connection(H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.ours.initiate_connection()
        self.ours.update_settings({SettingCodes.MAX_HEADER_LIST_SIZE: 1000})
        for _ in range(2):
            self.client.receive_data(self.ours.data_to_send())
            self.receive()

    def receive(self) -> list[Event]:
        """Return what our end makes of what the client wants to send."""
        return self.ours.receive_data(self.client.data_to_send())

    def answer(self, number: int) -> bytes:
        self.ours.send_headers(number, [(b":status", b"204")], end_stream=True)
        return self.ours.data_to_send()


def test_what_was_asked_for_is_answered_after_a_goodbye() -> None:
    line = Line()
    line.client.send_headers(1, GET, end_stream=True)
    line.receive()
    (event,) = line.ours.receive_data(GoAwayFrame(0).serialize())
    assert isinstance(event, ConnectionTerminated)
    assert event.error_code is None
    assert line.answer(1)


def test_a_goodbye_with_a_reason_is_the_end() -> None:
    line = Line()
    line.client.send_headers(1, GET, end_stream=True)
    line.receive()
    (event,) = line.ours.receive_data(GoAwayFrame(0, error_code=ErrorCodes.INTERNAL_ERROR).serialize())
    assert isinstance(event, ConnectionTerminated)
    assert event.error_code == ErrorCodes.INTERNAL_ERROR
    with pytest.raises(ProtocolError):
        line.answer(1)


def test_a_head_is_read_up_to_twice_the_limit() -> None:
    line = Line()
    line.client.remote_settings.update({SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20})
    line.client.send_headers(1, [*GET, ("x-large", "a" * 1700)], end_stream=True)
    assert isinstance(line.receive()[0], RequestReceived)
    line.client.send_headers(3, [*GET, ("x-large", "a" * 2000)], end_stream=True)
    with pytest.raises(ProtocolError):
        line.receive()
