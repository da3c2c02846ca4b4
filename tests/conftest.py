"""Settings that hold for every test.

With GPROXY_LARGE_TESTS in the environment, tests of properties that do not say how many try 100 examples, else 40.
"""

import os
from collections.abc import Iterator

import hypothesis
import psutil
import pytest

# Who loads protobuf first decides for the whole process. No role loads both etcd3, whose messages need this, and the
# exporter of traces. Tests of both share processes.
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"

# How long one example takes says more about the machine than about the code.
EXAMPLES = 100 if "GPROXY_LARGE_TESTS" in os.environ else 40
hypothesis.settings.register_profile("gproxy", deadline=None, print_blob=True, max_examples=EXAMPLES)
hypothesis.settings.load_profile("gproxy")


def running_children() -> list[str]:
    """Return the command lines of the child processes of this one that have not ended."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{child.pid}: {' '.join(child.cmdline())}")
        except psutil.NoSuchProcess:  # it ended while being looked at
            continue
    # multiprocessing keeps this one for as long as the interpreter lives
    return [line for line in found if "resource_tracker" not in line]


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_running() -> Iterator[None]:
    """Fail the run when a test started a process and did not stop it."""
    before = set(running_children())
    yield
    left = [line for line in running_children() if line not in before]
    assert not left, f"a test left processes running: {left}"
