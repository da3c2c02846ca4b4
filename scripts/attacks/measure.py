"""One attack measured: before it, while it lasts, and what it leaves behind."""

import time
from dataclasses import dataclass

from scripts.attacks.attacks import Attack
from scripts.attacks.polite import Service
from scripts.attacks.stage import Stage

#: before an attack is measured its first wave has to have met the limits
_WAVE_S = 1.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attack did: `cpu_percent` of one core and `memory_bytes` beyond what the gateway needs in peace.

    `acted` is how often the limit acted, `connections` how many the attackers held at the end.
    """

    attack: Attack
    quiet: Service
    busy: Service
    cpu_percent: float
    memory_bytes: int
    acted: int
    connections: int

    @property
    def ratio(self) -> float:
        """The polite client's slowest answers, compared with those in peace."""
        return self.busy.p99_ms / self.quiet.p99_ms


def measure(stage: Stage, attack: Attack, seconds: float, scale: float) -> Outcome:
    """Look at the gateway in peace and under attack, each for so long."""
    quiet_cpu, quiet, _ = _watch(stage, seconds)
    memory, before = stage.memory(), stage.stats()
    with stage.under(attack, scale):
        time.sleep(_WAVE_S)
        busy_cpu, busy, after = _watch(stage, seconds)
        memory = stage.memory() - memory
    acted = after[attack.counter] - before[attack.counter] if attack.counter else 0
    return Outcome(attack, quiet, busy, busy_cpu - quiet_cpu, max(0, memory), acted, after["connections"])


def _watch(stage: Stage, seconds: float) -> tuple[float, Service, dict[str, int]]:
    """Return what the worker needs of a core in percent, how the polite client is served, and the totals then."""
    cpu_s, began_s = stage.cpu_s(), time.monotonic()
    service = stage.polite(seconds)
    return 100 * (stage.cpu_s() - cpu_s) / (time.monotonic() - began_s), service, stage.stats()
