import json

from gproxy.core.backends import Endpoint
from gproxy.core.health import Health, Pace, State
from gproxy.core.health_check import Check, Fault
from gproxy.monitor.health import Subject
from gproxy.monitor.health_report import document
from gproxy.monitor.probe import Transcript
from gproxy.monitor.targets import Target

PACE = Pace(5, 3, 2, 3)
CHECK = {"type": "http", "path": "/up"}
NOW_S, WALL_MS = 1000.0, 1_700_000_000_000


def subject(health: Health) -> Subject:
    made = Subject(Target("u1", 4, 77, Endpoint("::1", 80, "", None), Check(PACE, None), CHECK), health, flips=12)
    made.due_s = NOW_S + 2.5
    return made


def test_a_server_that_nobody_has_asked_yet() -> None:
    assert document("node-1", [subject(Health(State.UNKNOWN, NOW_S - 1))], NOW_S, WALL_MS) == {
        "node": "node-1",
        "servers": [
            {
                "name": "u1",
                "address": "[::1]:80",
                "state": "unknown",
                "since_s": 1.0,
                "noticed_by": "health_check",
                "reason": "",
                "in_a_row": 0,
                "flips": 12,
                "flips_last_minute": 0,
                "flapping": False,
                "next_check_in_s": 2.5,
                "check": CHECK,
                "last": None,
                "last_failure": None,
            }
        ],
    }


def test_a_server_that_is_down_and_flaps() -> None:
    made = subject(Health(State.DOWN, NOW_S - 10, -3, tuple(NOW_S - 5 * n for n in range(1, 11))))
    made.due_s = NOW_S - 1  # being asked
    made.fault = "status 500, expected 200"
    transcript = Transcript(WALL_MS - 1500, "GET / HTTP/1.1\r\n", "HTTP/1.1 500 No", "oops", 500, 0.5, 1.25, 2.0)
    transcript.fail(Fault.STATUS, "status 500, expected 200")
    made.last = made.last_failure = transcript
    (server,) = document("n", [made], NOW_S, WALL_MS)["servers"]
    assert (server["state"], server["reason"], server["since_s"]) == ("down", "status 500, expected 200", 10.0)
    assert (server["flips_last_minute"], server["flapping"], server["next_check_in_s"]) == (10, True, 0.0)
    assert json.loads(json.dumps(server["last"])) == {
        "age_s": 1.5,
        "fault": "status 500, expected 200",
        "kind": "status",
        "request": "GET / HTTP/1.1\r\n",
        "status": 500,
        "head": "HTTP/1.1 500 No",
        "body": "oops",
        "connected_ms": 0.5,
        "answered_ms": 1.25,
        "ended_ms": 2.0,
    }
