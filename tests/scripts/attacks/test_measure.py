"""Everything at once against one gateway: every limit acts, memory stays bounded, and the polite are served."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from scripts.attacks.attacks import ATTACKS
from scripts.attacks.measure import measure
from scripts.attacks.stage import standing

#: attackers at a time, by scale: few, so that what is measured is not how fast this machine can attack
SCALE = 0.03
#: a machine that is busy with other things makes anybody wait for so long, usually and now and then
NOISE_MS, LONGEST_MS = 50.0, 1000.0


@pytest.mark.serial
@pytest.mark.timeout(180)
def test_everything_at_once(tmp_path: Path) -> None:
    with standing(tmp_path, {"limits": {"connections_per_ip": "200"}}) as stage, contextlib.ExitStack() as stack:
        quiet, memory, before = stage.polite(1.0), stage.memory(), stage.stats()
        for attack in ATTACKS:
            scale = 0.3 if attack.counter == "refused_per_ip" else SCALE
            stack.enter_context(stage.under(attack, scale))
        give_up = time.monotonic() + 60
        while missing := [
            attack.attacker
            for attack in ATTACKS
            if attack.counter and stage.stats()[attack.counter] == before[attack.counter]
        ]:
            assert time.monotonic() < give_up, f"these limits have not acted: {missing}"
            time.sleep(0.1)
        busy = stage.polite(3.0)
        assert busy.failures == 0
        assert busy.p50_ms < max(5 * quiet.p50_ms, NOISE_MS)
        assert busy.worst_ms < max(5 * quiet.worst_ms, LONGEST_MS)
        assert stage.memory() - memory < 100 << 20
        assert stage.stats()["connections"] <= 200 + 1
    log = (tmp_path / "gproxy.log").read_text()
    assert "Traceback" not in log, log


@pytest.mark.serial
@pytest.mark.timeout(120)
def test_one_attack_is_measured(tmp_path: Path) -> None:
    (attack,) = (attack for attack in ATTACKS if attack.attacker == "false_announcements")
    with standing(tmp_path, attack.settings) as stage:
        outcome = measure(stage, attack, seconds=0.5, scale=0.2)
    assert outcome.acted > 0
    assert outcome.busy.requests > 0
    assert outcome.busy.failures == outcome.quiet.failures == 0
    assert outcome.ratio > 0
