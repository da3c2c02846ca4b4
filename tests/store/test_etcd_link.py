import time
from pathlib import Path

import pytest

from gproxy.store.access import NOBODY
from gproxy.store.base import StoreUnavailable
from gproxy.store.etcd_address import EtcdAddress
from gproxy.store.etcd_client import put, unchanged
from gproxy.store.etcd_link import EtcdLink
from tests.harness.etcd import Etcd, cluster, free_port
from tests.harness.waiting import eventually


def link_to(*endpoints: str, patience_s: float = 5.0) -> EtcdLink:
    return EtcdLink(EtcdAddress(endpoints, "/gw"), NOBODY, patience_s)


def test_an_endpoint_that_is_not_there_is_passed_over(etcd: Etcd) -> None:
    link = link_to(f"127.0.0.1:{free_port()}", etcd.endpoint)
    began = time.monotonic()
    link.get("x")
    assert time.monotonic() - began < 1
    assert link.endpoint == etcd.endpoint
    link.close()


def test_a_stopped_server_costs_one_deadline(tmp_path: Path, etcd: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
    with Etcd(tmp_path) as stopped:
        link = link_to(stopped.endpoint, etcd.endpoint)
        alone = link_to(stopped.endpoint, patience_s=0.5)
        link.get("x")
        alone.get("x")
        assert link.endpoint == stopped.endpoint
        monkeypatch.setattr("gproxy.store.etcd_link.ATTEMPT_S", 0.5)
        with stopped.frozen():
            began = time.monotonic()
            link.get("x")
            assert time.monotonic() - began < 2
            assert link.endpoint == etcd.endpoint
            with pytest.raises(StoreUnavailable, match="no answer in time"):
                alone.get("x")
        eventually(lambda: alone.get("x") is not None, about="it answers when it goes on")
        link.close()
        alone.close()


def test_a_server_that_comes_back_is_found_within_a_second(tmp_path: Path) -> None:
    with Etcd(tmp_path) as etcd:
        link = link_to(etcd.endpoint, patience_s=0.1)
        link.get("x")
        etcd.kill()
        with pytest.raises(StoreUnavailable):
            link.get("x")
        etcd.start()
        link = link_to(etcd.endpoint, patience_s=1.5)
        link.get("x")
        link.close()


def test_a_cluster_serves_with_one_member_down_and_says_so_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gproxy.store.etcd_link.ATTEMPT_S", 1.0)
    with cluster(tmp_path) as members:
        link = link_to(*(member.endpoint for member in members), patience_s=15)
        link.transact((), [put("/gw/x", b"1")])
        members[0].kill()
        (found,), _ = link.get("/gw/x")
        done, _ = link.transact([unchanged("/gw/x", found.revision)], [put("/gw/x", b"2")])
        assert done
        members[1].kill()
        impatient = link_to(*(member.endpoint for member in members), patience_s=0.1)
        with pytest.raises(StoreUnavailable):
            impatient.get("/gw/x")
        impatient.close()
        members[0].start()
        assert link.get("/gw/x")[0][0].value == b"2"
        link.close()


def test_a_lease_ends_when_it_is_not_renewed(etcd: Etcd) -> None:
    link = link_to(etcd.endpoint)
    lease = link.grant(1)
    assert link.renew(lease)
    link.transact((), [put("/gw/leased", b"", lease)])
    eventually(lambda: not link.get("/gw/leased")[0])
    assert not link.renew(lease)
    link.close()
