import itertools

from scripts.benchmark.workloads import WORKLOADS


def test_names_are_different() -> None:
    assert len({workload.name for workload in WORKLOADS}) == len(WORKLOADS)


def test_workloads_of_one_setup_stand_together_so_that_proxies_start_once() -> None:
    groups = [setup for setup, _ in itertools.groupby(WORKLOADS, key=lambda workload: workload.setup)]
    assert len(groups) == len(set(groups))


def test_every_path_is_below_the_last_api_of_its_setup() -> None:
    for workload in WORKLOADS:
        assert workload.path.startswith(workload.setup.prefixes[-1])


def test_only_idle_is_idle() -> None:
    assert [workload.name for workload in WORKLOADS if workload.is_idle] == ["idle"]
