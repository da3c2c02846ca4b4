from pathlib import Path

import pytest

from gproxy.entrances import Entrance, entrances, redirect_port
from gproxy.settings import Settings, SettingsError, load

TRUSTED = "trusted_proxies = 10.0.0.0/8\n"


def settings_of(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "gproxy.ini"
    path.write_text(text)
    return load(path)


def test_public_addresses_in_their_order_and_what_is_spoken_there(tmp_path: Path) -> None:
    text = f"[gproxy]\nbind = :80, :81\nproxy_protocol = :81, :443\n{TRUSTED}[tls]\nbind = :443\nredirect_bind = :82\n"
    assert entrances(settings_of(tmp_path, text)) == (
        Entrance("[gproxy] bind", ":80"),
        Entrance("[gproxy] bind", ":81", announces=True),
        Entrance("[tls] bind", ":443", speaks_tls=True, announces=True),
        Entrance("[tls] redirect_bind", ":82", redirects=True),
    )


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("bind = unix:/s, [::1]:8443, :443", 8443),
        ("bind = :8443\nredirect_port = 443", 443),
        ("bind = unix:/s", 443),
    ],
)
def test_where_redirects_lead(tmp_path: Path, text: str, port: int) -> None:
    assert redirect_port(settings_of(tmp_path, f"[tls]\nredirect_bind = :80\n{text}\n")) == port


def test_there_may_be_only_addresses_with_tls(tmp_path: Path) -> None:
    assert [entrance.bind for entrance in entrances(settings_of(tmp_path, "[gproxy]\nbind =\n[tls]\nbind = :443\n"))]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gproxy]\nbind =\n", "[gproxy] bind: must have at least one address, or [tls] bind"),
        ("[gproxy]\nbind = :1\n[tls]\nbind = :1\n", "[tls] bind = :1: is also one of [gproxy] bind"),
        ("[tls]\nbind = :1\nredirect_bind = :1\n", "[tls] redirect_bind = :1: is also one of [tls] bind"),
        ("[tls]\nbind = :1\n[control]\nbind = :1\n", "[control] bind = :1: is also one of [tls] bind"),
        (
            f"[gproxy]\nproxy_protocol = :1\n{TRUSTED}",
            "[gproxy] proxy_protocol = :1: is not one of the addresses in bind and redirect_bind",
        ),
        (
            "[gproxy]\nbind = :1\nproxy_protocol = :1\n",
            "[gproxy] proxy_protocol: needs trusted_proxies, nobody else is believed",
        ),
        (
            "[tls]\nbind = :1\nclient_certificates = required\n",
            "[tls] client_certificates = required: needs client_ca_file to check them against",
        ),
        (
            "[tls]\nredirect_bind = :1\n",
            "[tls] redirect_bind: needs [tls] bind, or redirect_port when TLS is somebody else's",
        ),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, text)
    assert caught.value.problems == [problem]


def test_free_ports_may_be_asked_for_everywhere(tmp_path: Path) -> None:
    text = "[gproxy]\nbind = :0, :0\n[tls]\nbind = :0\n[control]\nbind = :0\n"
    assert len(entrances(settings_of(tmp_path, text))) == 3
