from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.settings_values import store_url
from gproxy.store.base import StoreUnavailable
from gproxy.store.open import BadStoreUrl, canonical, open_store


def test_three_slashes_are_relative_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert canonical("sqlite:///run/gateway.db") == f"sqlite:///{tmp_path}/run/gateway.db"
    assert canonical("sqlite:////var/gateway.db") == "sqlite:////var/gateway.db"
    with open_store("sqlite:///run/gateway.db", create=True) as store:
        assert store.source == canonical("sqlite:///run/gateway.db")
    assert (tmp_path / "run" / "gateway.db").exists()


def test_a_store_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(f"sqlite:///{tmp_path}/gateway.db")


def test_endpoints_of_etcd_may_come_in_any_order() -> None:
    assert canonical("etcd://b:1,a:2/gw/") == canonical("etcd://a:2,b:1/gw") == "etcd://a:2,b:1/gw"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("run/gateway.db", "a store is sqlite:///"),
        ("redis://localhost", "a store is sqlite:///"),
        ("sqlite://gateway.db", "is followed by"),
        ("sqlite:///", "is followed by"),
        ("etcd://localhost/gproxy", "is followed by host:port"),
        ("etcd://localhost:2379/a b", "the prefix is of"),
    ],
)
def test_a_wrong_url_is_said(url: str, said: str) -> None:
    with pytest.raises(BadStoreUrl, match=said):
        open_store(url)


@given(
    st.sampled_from(["sqlite://", "etcd://", "etcd://a:1", "etcd://[::1]:2379,b:2", "redis://"]),
    st.text("/ab.:- ,1", max_size=8),
)
def test_settings_take_the_very_urls_that_can_be_opened(begin: str, rest: str) -> None:
    url = begin + rest

    def takes(check: Callable[[str], str]) -> bool:
        try:
            check(url)
        except ValueError:
            return False
        return True

    assert takes(store_url) == takes(canonical)
