from scripts.benchmark.contenders import Contender
from scripts.benchmark.measure import Sample, median, rounds

CONTENDERS = [Contender(name, 0, ()) for name in ("a", "b", "c")]


def test_the_median_of_every_figure_counts_but_no_error_is_lost() -> None:
    samples = [Sample(cost=1.0, p99_ms=9.0, errors=1), Sample(cost=5.0, p99_ms=8.0), Sample(cost=2.0, p99_ms=7.0)]
    assert median(samples) == Sample(cost=2.0, p99_ms=8.0, errors=1)


def test_rounds_take_turns_in_changing_order() -> None:
    order = []

    def once(contender: Contender) -> Sample:
        order.append(contender.name)
        return Sample(cost=float(len(order)))

    samples = rounds(CONTENDERS, 4, once)
    assert "".join(order) == "abcbcacababc"
    assert [sample.cost for sample in samples["a"]] == [1.0, 6.0, 8.0, 10.0]
