"""Listening sockets: opened once by the master, one per bind, accepted from by all workers together.

Why one shared socket and not one SO_REUSEPORT socket per worker: the kernel ties a connection to a REUSEPORT
socket before anybody accepts it. Measured with 4 workers: while one stood still, 46 of 400 connections waited
1,005 ms for its replacement, and removing a worker stranded 324 of 2,000; the shared socket lost and delayed
none. What REUSEPORT does better, spreading evenly, the workers do by letting the less busy accept first.
"""

import contextlib
import ctypes
import errno
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Asked for; the kernel caps it at net.core.somaxconn.
BACKLOG: Final = 4096

#: How much of an answer the kernel may hold that it has not sent yet.
UNSENT_BYTES: Final = 1 << 18
#: How long a client may take to acknowledge anything of what is on its way.
UNACKNOWLEDGED_MS: Final = 60_000
#: Linux, linux/tcp.h; Python names it from 3.12 on.
_TCP_NOTSENT_LOWAT: Final = 25
#: Linux, asm-generic/socket.h; Python does not name it.
_SO_ATTACH_FILTER: Final = 26
#: A classic BPF program over a TCP segment: drop those with SYN and without ACK, keep the rest.
_DROP_SYN: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of flags
        (0x54, 0, 0, 0x12),  # keep SYN and ACK of them
        (0x15, 0, 1, 0x02),  # only SYN?
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # keep
    )
)

_REASONS: Final = {
    errno.EADDRINUSE: "is in use by another program",
    errno.EACCES: "needs more rights than this user has",
    errno.EADDRNOTAVAIL: "is no address of this machine",
    errno.EAFNOSUPPORT: "is of a family that this machine does not support",
    errno.ENOENT: "is in a folder that does not exist",
    errno.EROFS: "is on a read-only file system",
}


class ListenError(Exception):
    """A bind cannot be listened on; the text is one line that names it.

    `is_in_use`: because somebody listens on it already.
    """

    def __init__(self, bind: str, reason: str, is_in_use: bool = False) -> None:
        super().__init__(f"{bind}: {reason}")
        self.is_in_use = is_in_use


@dataclass(slots=True, eq=False)
class Listener:
    """An open bind. `inode` is that of a unix socket's file, to know it again; 0 for TCP.

    `is_lent`: another program serves it, before this one takes it over or after this one has handed it over: then its
    file and its newcomers are none of our business.
    """

    bind: str
    socket: socket.socket
    inode: int = 0
    is_lent: bool = False

    @property
    def address(self) -> str:
        """The real address in the form of a bind: port 0 replaced by the port that was given."""
        return address_of(self.socket)

    def hold_off(self) -> None:
        """Let no new connection into the queue, so that workers can empty it and close without a loss.

        A connection that came between a worker's last look and its close would be reset. Unanswered instead,
        a client's kernel asks again a second later, and finds the next gproxy or a refusal. Best effort: a
        kernel that cannot do it leaves things as they are.
        """
        if self.is_lent or self.socket.family == socket.AF_UNIX or self.socket.fileno() < 0:
            return
        program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
        filter_ = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)

    def close(self, unlink: bool = True) -> None:
        """Close this process's copy; `unlink` removes the file of a unix socket if it is still this one."""
        if unlink and not self.is_lent and self.inode and self.is_in_place():
            with contextlib.suppress(OSError):  # no reason to leave anything else undone
                os.unlink(self.bind.removeprefix("unix:"))
        self.socket.close()

    def is_in_place(self) -> bool:
        """Tell whether clients that connect now find this socket: the file of a unix one may have been removed."""
        return not self.inode or _inode(self.bind.removeprefix("unix:")) == self.inode


def address_of(sock: socket.socket) -> str:
    """Return the local address of a socket as `host:port`, `[v6]:port` or `unix:/path`."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"


def open_listener(bind: str) -> Listener:
    """Listen on a bind (in a form that the settings have checked), non-blocking. Raises ListenError."""
    sock, where = _bound(bind)
    try:
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _refused(bind, error) from None
    return Listener(bind, sock, _inode(where) if isinstance(where, str) else 0)


def probe(bind: str) -> ListenError | None:
    """Return why a bind could not be opened now, None if it could; nothing is left behind, nobody disturbed."""
    try:
        if bind.startswith("unix:"):
            _check_unix(bind, bind.removeprefix("unix:"), unlink=False)
        else:
            _bound(bind)[0].close()
    except ListenError as error:
        return error
    return None


def _bound(bind: str) -> tuple[socket.socket, object]:
    family, where = _resolve(bind)
    sock = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted sockets inherit it: a head and a body sent apart must not wait for a delayed ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # And these: what a client does not read waits at its server, not in the memory of the kernel (4 MB each),
            # and what it does not acknowledge is dropped, after we have closed, too.
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        if family == socket.AF_INET6:
            # [::]:80 and :80 are two binds, each showing clients under their own addresses.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if isinstance(where, str):
            _check_unix(bind, where, unlink=True)
        sock.bind(where)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise _refused(bind, error) from None
    except ListenError:
        if sock is not None:
            sock.close()
        raise
    return sock, where


def _resolve(bind: str) -> tuple[socket.AddressFamily, tuple[str, int] | str]:
    """Return the family and address to bind to. Of several addresses of a name IPv4 is taken first."""
    if bind.startswith("unix:"):
        return socket.AF_UNIX, bind.removeprefix("unix:")
    host, _, port = bind.rpartition(":")
    if host.startswith("["):
        return socket.AF_INET6, (host.strip("[]"), int(port))
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ListenError(bind, f"the name {host} has no address") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))


def _check_unix(bind: str, path: str, unlink: bool) -> None:
    """Make sure that the path is free; a socket file that nobody answers on any more is removed."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        folder = Path(path).parent
        if not os.access(folder, os.W_OK):
            reason = errno.EACCES if folder.is_dir() else errno.ENOENT
            raise ListenError(bind, _REASONS[reason]) from None
        return
    except OSError as error:
        raise _refused(bind, error) from None
    if not stat.S_ISSOCK(mode):
        raise ListenError(bind, "there is a file of that name that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        if client.connect_ex(path) != errno.ECONNREFUSED:
            raise ListenError(bind, _REASONS[errno.EADDRINUSE], is_in_use=True)
    if unlink:
        os.unlink(path)


def _refused(bind: str, error: OSError) -> ListenError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return ListenError(bind, reason, is_in_use=error.errno == errno.EADDRINUSE)


def _inode(path: str) -> int:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0
