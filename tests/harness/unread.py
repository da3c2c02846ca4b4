"""How much of what was sent the other side has not read yet, asked of the kernel (sock_diag(7))."""

from __future__ import annotations

import socket
import struct
import time

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY, as request and as answer
_ANY = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
#: where inet_diag_msg.idiag_rqueue stands, behind nlmsghdr, four bytes, inet_diag_sockid and idiag_expires
_RECEIVE_QUEUE_AT = _HEADER.size + 4 + 48 + 4


def wait_until_read(sock: socket.socket, within_s: float = 0.05) -> None:
    """Wait until the peer of this IPv4 loopback connection has read all that was sent to it.

    A gateway that is busy with something else may leave bytes unread on purpose, so this gives up soon.
    """
    try:
        own, peer = sock.getsockname(), sock.getpeername()
    except OSError:  # the peer has reset the connection
        return
    give_up = time.monotonic() + within_s
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
        while _unread(kernel, peer, own) and time.monotonic() < give_up:
            time.sleep(0.0001)


def _unread(kernel: socket.socket, reader: tuple[str, int], sender: tuple[str, int]) -> int:
    """Return the bytes in the receive queue of the socket `reader`, 0 when there is no such socket any more."""
    ports = struct.pack("!HH", reader[1], sender[1])
    hosts = socket.inet_aton(reader[0]).ljust(16, b"\0") + socket.inet_aton(sender[0]).ljust(16, b"\0")
    interface_and_cookie = struct.pack("=III", 0, _ANY, _ANY)
    states = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY)
    request = states + ports + hosts + interface_and_cookie
    kernel.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, 1, 1, 0) + request)
    answer = kernel.recv(4096)
    if _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return 0
    return int(struct.unpack_from("=I", answer, _RECEIVE_QUEUE_AT)[0])
