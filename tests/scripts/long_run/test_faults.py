from typing import Any
from unittest.mock import MagicMock

import pytest

from scripts.long_run.faults import FAULTS, Fault


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_fault_breaks_it_mends(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    stage: Any = MagicMock(servers={0: MagicMock(), 1: MagicMock()})
    fault(stage)
    assert fault.__doc__
    calls = stage.method_calls + stage.servers[1].method_calls
    assert calls, "nothing happened"
    assert stage.stop_server.call_args_list == stage.start_server.call_args_list
    assert stage.servers[1].send_signal.call_count in (0, 2)
