from scripts.demo import words
from scripts.demo.options import read_options

OPTIONS = read_options(["--port", "8180"])


def test_plain_text_has_no_colours() -> None:
    text = words.opening(OPTIONS, "demo.yaml", "revision 1", 0.84, "GET /users/1 -> 200", "secret", is_plain=True)
    assert "\033" not in text
    assert "http://127.0.0.1:8180 (2 workers, ready in 0.8 s)" in text
    assert "GET /users/1 -> 200" in text
    assert "http://127.0.0.1:9901\n" in text
    assert "log in as admin with secret" in text


def test_the_password_is_shown_only_when_it_is_new() -> None:
    text = words.opening(OPTIONS, "demo.yaml", "revision 1", 0.84, "GET /users/1 -> 200", "", is_plain=True)
    assert "log in" not in text
    assert ".venv/bin/gadmin --store sqlite:///run/gateway.db --reset-password admin" in text


def test_on_a_terminal_it_has() -> None:
    assert words.styled("gproxy", words.BOLD, is_plain=False) == "\033[1mgproxy\033[0m"


def test_every_command_stands_below_what_it_shows() -> None:
    commands = words.attempts(8180) + words.changes(OPTIONS, "demo.yaml")
    text = words.suggestions("Try", commands, is_plain=True)
    for shows, command in commands:
        assert (f"  # {shows}\n  {command}" if shows else f"\n  {command}") in text


def test_the_store_is_named_only_when_it_is_not_the_default() -> None:
    elsewhere = read_options(["--run-dir", "elsewhere"])
    assert "--store" not in words.changes(OPTIONS, "demo.yaml")[0][1]
    assert "--store sqlite:///elsewhere/gateway.db" in words.changes(elsewhere, "demo.yaml")[0][1]


def test_a_fleet_is_shown_with_all_its_gateways_and_its_etcd() -> None:
    options = read_options(["--fleet", "2"])
    text = words.opening(options, "demo.yaml", "revision 1", 0.84, "GET /users/1 -> 200", "", is_plain=True)
    assert "http://127.0.0.1:8080, http://127.0.0.1:8081 (2 workers each, " in text
    assert "run/node-1/gproxy.log, run/node-2/gproxy.log" in text
    commands = [command for _, command in words.fleet(options, "demo.yaml")]
    assert ".venv/bin/gproxyctl --store etcd://127.0.0.1:2379/gateway nodes" in commands
    assert any("etcdctl --endpoints 127.0.0.1:2379 put /gateway/server/demo-1" in command for command in commands)


def test_how_a_program_has_ended() -> None:
    assert words.ended("etcd", -9) == "etcd has ended (killed by SIGKILL); the rest goes on without it"
    assert words.ended("gadmin", 1) == "gadmin has ended (exit code 1); the rest goes on without it"
