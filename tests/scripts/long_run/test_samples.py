from dataclasses import replace

import pytest

from scripts.long_run.samples import Sample, growth, lives

MB = 1 << 20


def life(memory: list[int], **others: int) -> list[Sample]:
    """Samples of one process, ten seconds apart."""
    samples = [Sample(10.0 * number, "w", 7, each * MB, 30, 2, 9, 1000) for number, each in enumerate(memory)]
    return [
        replace(sample, **{name: value * at for name, value in others.items()}) for at, sample in enumerate(samples)
    ]


def test_what_stays_does_not_grow() -> None:
    assert growth(life([50] * 30), 60.0) == []
    assert growth(life([50, 51] * 15), 60.0) == []


def test_what_grows_is_told() -> None:
    (told,) = growth(life(list(range(50, 80))), 60.0)
    assert told.startswith("w (7): memory_bytes grows from ")
    assert [line.split()[2] for line in growth(life([50] * 30, greenlets=10, descriptors=20), 0.0)] == [
        "descriptors",
        "greenlets",
    ]


def test_what_a_process_needs_at_first_is_no_growth() -> None:
    rising = life([*range(20, 50), *[50] * 12])
    assert growth(rising, 300.0) == []
    assert growth(rising, 0.0) != []


@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_short_life_says_nothing(count: int) -> None:
    assert growth(life(list(range(50, 50 + count))), 0.0) == []


def test_lives_are_told_apart() -> None:
    mixed = [*life([50] * 3), *(replace(sample, pid=8) for sample in life([50] * 5))]
    assert [(found[0].pid, len(found)) for found in lives(mixed)] == [(8, 5), (7, 3)]
