"""A worker as the master forks it, in a process of its own.

Run as python -m tests.worker.one_worker FOLDER MASTER_PID TABLE_FD.

Prints the port when everything is handed over. The exit code is the worker's.
"""

import socket
import sys
from pathlib import Path

from gproxy import logs
from gproxy.role import Context
from gproxy.settings import load
from gproxy.shared.table import Table


def main(folder: Path, master_pid: int, table_fd: int) -> int:
    settings = load(folder / "gproxy.ini")
    logs.setup(settings, "worker", 0)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    context = Context(settings, Table.attach(table_fd), 0, (listener,), master_pid)
    from gproxy.worker.process import run  # as the master does: only in the child

    return run(context)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
