import os

from gproxy.monitor.resources import resources


def test_of_a_living_process_and_of_none() -> None:
    used = resources(os.getpid())
    assert used is not None
    assert used.cpu_s > 0
    assert used.memory_bytes > 1 << 20
    assert resources(2**22 + 1) is None
