import socket
from pathlib import Path

import pytest

from scripts.demo.options import DemoError, Options, check_ports, read_options
from scripts.processes import free_ports


def test_the_defaults_fit_the_example() -> None:
    assert read_options([]) == Options(8080, 9900, 9901, (9001, 9002), 2, Path("run"))
    assert read_options([]).store == "sqlite:///run/gateway.db"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workers", "0"],
        ["--port", "9001"],
        ["--backend-port", "9899"],
        ["--admin-port", "8080"],
        ["--port", "70000"],
        ["--port", "0"],
        ["--fleet", "-1"],
        ["--fleet", "2", "--port", "9000"],
        ["--fleet", "1", "--etcd-port", "8079"],
    ],
)
def test_wrong_arguments_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_every_taken_port_is_told_with_the_option_that_changes_it() -> None:
    gateway, control, admin, _ = free_ports(4)
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        taken = (first.getsockname()[1], second.getsockname()[1])
        with pytest.raises(DemoError) as raised:
            check_ports(Options(taken[0], control, admin, (gateway, taken[1]), 2, Path("run")))
    lines = str(raised.value).splitlines()[1:]
    assert [line.split(": ")[0] for line in lines] == [
        f"  port {taken[0]} for the gateway",
        f"  port {taken[1]} for the backend",
    ]
    assert lines[0].endswith("--port")
    assert lines[1].endswith("--backend-port")


def test_the_nodes_of_a_fleet_have_ports_and_folders_of_their_own() -> None:
    options = read_options(["--fleet", "3", "--etcd-port", "2400"])
    assert options.store == "etcd://127.0.0.1:2400/gateway"
    assert [(node.name, node.port, node.control_port) for node in options.nodes] == [
        ("node-1", 8080, 9900),
        ("node-2", 8081, 10000),
        ("node-3", 8082, 10100),
    ]
    assert len({node.run_dir for node in options.nodes}) == 3
    (alone,) = read_options([]).nodes
    assert (alone.port, alone.control_port, alone.run_dir) == (8080, 9900, Path("run"))


def test_free_ports_are_fine() -> None:
    gateway, control, admin, first, second = free_ports(5)
    check_ports(Options(gateway, control, admin, (first, second), 2, Path("run")))
