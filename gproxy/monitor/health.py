"""The prober of the node: asks every server that has a health check, and keeps what came of it.

One greenlet keeps the plan, a heap of what is due when; each check runs in a greenlet of its own, so many at a time
and no more. The next check is planned when one has ended, never before: a server that is slow or dead is asked less,
and nothing spins. Verdicts go to shared memory, where the workers see them and a restarted monitor finds them.
"""

from __future__ import annotations

import heapq
import logging
import random
from collections.abc import Callable, Mapping
from itertools import count
from time import monotonic
from typing import Final

import gevent
from gevent import Greenlet
from gevent.event import Event

from gproxy.core.backends import Endpoint
from gproxy.core.health import Health, State, first_delay_s, valid_s
from gproxy.core.health_check import Check
from gproxy.monitor.probe import Transcript, probe, wall_ms
from gproxy.monitor.targets import Target
from gproxy.shared.health import NOTHING, HealthCells, Verdict
from gproxy.shared.table import now_ms

log = logging.getLogger(__name__)

#: Checks that run at the same time: as many connections as one process opens without asking for more descriptors.
MOST_AT_A_TIME: Final = 512
#: A server that was checked so lately is not checked again because somebody wants to know.
FRESH_MS: Final = 500.0


class Subject:
    """A server that is checked.

    `due_s` is when the next check begins (monotonic seconds). `fault` is why it is in its state, "" when up;
    `last` and `last_failure` are the transcripts of the latest check and of the latest one that failed. `is_asked`:
    a check is going on; `awaited` are to be told when it has ended.
    """

    __slots__ = ("awaited", "due_s", "fault", "flips", "health", "is_asked", "last", "last_failure", "target")

    def __init__(self, target: Target, health: Health, flips: int) -> None:
        self.target = target
        self.health = health
        self.flips = flips
        self.due_s = 0.0
        self.fault = ""
        self.last: Transcript | None = None
        self.last_failure: Transcript | None = None
        self.is_asked = False
        self.awaited: list[Event] = []


#: Called with a server whose state has just changed and the state it was in before.
Tell = Callable[[Subject, State], None]


class Prober:
    """Checks the servers that it was told to `follow`, once `start` was called.

    `ask` and `chance` are the probe and the source of jitter (0 to 1).
    """

    def __init__(
        self,
        cells: HealthCells,
        tell: Tell,
        ask: Callable[[Endpoint, Check], Transcript] = probe,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.subjects: dict[str, Subject] = {}
        self._cells = cells
        self._tell = tell
        self._ask = ask
        self._chance = chance
        self._plan: list[tuple[float, int, Subject]] = []
        self._numbers = count()  # of two that are due at the same time, the one planned first comes first
        self._checks: set[Greenlet[..., None]] = set()
        self._woken = Event()

    def start(self) -> Greenlet[..., None]:
        """Begin to check; the greenlet that is returned never ends by itself."""
        self._planner = gevent.spawn(self._keep_to_the_plan)
        return self._planner

    def stop(self) -> None:
        """Break off what is going on."""
        gevent.killall([self._planner, *self._checks])

    def follow(self, targets: Mapping[str, Target]) -> None:
        """Check these servers from now on. One that is known at its address goes on as it stands."""
        now_s = monotonic()
        before, self.subjects = self.subjects, {}
        fresh = []
        for name, target in targets.items():
            subject = before.get(name)
            if subject is None or (subject.target.identity, subject.target.row) != (target.identity, target.row):
                subject = self._subject(target, now_s)
                fresh.append(subject)
            elif subject.target.check.pace != target.check.pace:
                sooner_s = now_s + subject.health.delay_s(target.check.pace, self._chance())
                if sooner_s < subject.due_s:
                    self._put(subject, sooner_s)
            subject.target = target
            self.subjects[name] = subject
        self._forget_others()
        for index, subject in enumerate(fresh):
            self._put(subject, now_s + first_delay_s(index, len(fresh)))
        self._woken.set()

    def check_now(self, name: str) -> Subject:
        """Check a server at once, whenever it is due, and return it with the outcome; raises KeyError for no server.

        It is a check like others: it counts for the state, and the next one is planned after it.
        """
        subject = self.subjects[name]
        if subject.last is not None and subject.last.elapsed_ms() < FRESH_MS:
            return subject
        ended = Event()
        subject.awaited.append(ended)
        if not subject.is_asked:
            self._put(subject, monotonic())
            self._woken.set()
        ended.wait(subject.target.check.pace.timeout_s + 1)  # one more, for checks that have to wait for others
        return self.subjects.get(name, subject)

    def _subject(self, target: Target, now_s: float) -> Subject:
        """Return a new subject, in the state that is found in shared memory if it is about this server and holds."""
        verdict = self._cells.read(target.row)
        if verdict.identity != target.identity or verdict.valid_until_ms < now_ms():
            return Subject(target, Health(State.UNKNOWN, now_s), 0)
        since_s = now_s - max(0, wall_ms() - verdict.changed_ms) / 1000
        health = Health(State(verdict.state), since_s).restored(target.check.pace)
        subject = Subject(target, health, verdict.flips)
        if health.state is State.DOWN:
            subject.fault = "found down by an earlier monitor"
        return subject

    def _forget_others(self) -> None:
        """Take back the verdicts on everything that is not checked any more, or is somewhere else now."""
        wanted = {subject.target.row: subject.target.identity for subject in self.subjects.values()}
        for row in self._cells.known_rows():
            if wanted.get(row) != self._cells.read(row).identity:
                self._cells.write(row, NOTHING)

    # -- the plan ----------------------------------------------------------------------------------------------

    def _put(self, subject: Subject, due_s: float) -> None:
        subject.due_s = due_s
        heapq.heappush(self._plan, (due_s, next(self._numbers), subject))

    def _keep_to_the_plan(self) -> None:
        while True:
            self._woken.clear()
            self._woken.wait(self._begin_what_is_due())

    def _begin_what_is_due(self) -> float | None:
        """Start the checks that are due; return in how many seconds to look again, None: when something happens."""
        now_s = monotonic()
        while self._plan and len(self._checks) < MOST_AT_A_TIME:
            due_s, _, subject = self._plan[0]
            if due_s != subject.due_s or self.subjects.get(subject.target.name) is not subject:
                heapq.heappop(self._plan)  # planned anew, or not checked any more
            elif due_s > now_s:
                return due_s - now_s
            else:
                heapq.heappop(self._plan)
                subject.is_asked = True
                self._checks.add(gevent.spawn(self._check, subject))
        return None

    def _check(self, subject: Subject) -> None:
        transcript = None
        try:
            transcript = self._ask(subject.target.endpoint, subject.target.check)
        except Exception:
            log.exception("a health check failed by itself", extra={"server": subject.target.name})
        finally:
            self._checks.discard(gevent.getcurrent())
            self._woken.set()
            subject.is_asked = False
            if self.subjects.get(subject.target.name) is subject:
                self._take(subject, transcript)
            awaited, subject.awaited = subject.awaited, []
            for ended in awaited:
                ended.set()

    def _take(self, subject: Subject, transcript: Transcript | None) -> None:
        """Draw the conclusions from a check, if it came to one, and plan the next."""
        now_s, pace = monotonic(), subject.target.check.pace
        before = subject.health
        if transcript is not None:
            subject.flips += before.turns(transcript.is_well)
            subject.health = before.after(transcript.is_well, now_s, pace)
            subject.last = transcript
            if not transcript.is_well:
                subject.last_failure = transcript
        delay_s = subject.health.delay_s(pace, self._chance())
        self._put(subject, now_s + delay_s)
        if transcript is not None:
            self._publish(subject, now_s, valid_s(delay_s, pace))
            if subject.health.state is not before.state:
                subject.fault = transcript.fault
                self._tell(subject, before.state)

    def _publish(self, subject: Subject, now_s: float, valid_s: float) -> None:
        health, target = subject.health, subject.target
        changed_ms = wall_ms() - round(1000 * (now_s - health.since_s))
        until_ms = now_ms() + round(1000 * valid_s)
        self._cells.write(target.row, Verdict(target.identity, health.state, changed_ms, subject.flips, until_ms))
