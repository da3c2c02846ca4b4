"""The server's end of an HTTP/2 connection as h2 has it, where a client may do a little more than h2 lets it."""

from __future__ import annotations

from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.settings import ChangedSetting, SettingCodes
from hyperframe.frame import Frame, GoAwayFrame

#: heads are read up to so many times the limit that clients are told
_HEAD_LEEWAY: Final = 2


class Connection(H2Connection):
    """h2's connection, which is not over for a goodbye of the client's, nor for a head that is a little too large."""

    def __init__(self) -> None:
        super().__init__(H2Configuration(client_side=False, header_encoding=None, validate_outbound_headers=False))

    def _local_settings_acked(self) -> dict[SettingCodes | int, ChangedSetting]:
        """Go on reading larger heads than the client knows to be allowed: their streams are told, and only those."""
        changed = super()._local_settings_acked()
        if SettingCodes.MAX_HEADER_LIST_SIZE in changed:
            self.decoder.max_header_list_size = _HEAD_LEEWAY * changed[SettingCodes.MAX_HEADER_LIST_SIZE].new_value
        return changed

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        """Tell of a goodbye without a reason only: what the client has asked for is still to be answered (6.8)."""
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        return [], [ConnectionTerminated()]
