"""The outcomes as a table in Markdown."""

from collections.abc import Sequence

from scripts.attacks.measure import Outcome

_HEADINGS = (
    *("attack", "limit that acts", "acted", "connections held", "memory", "CPU of one core"),
    *("p99 in peace", "p99 under attack", "ratio", "failures"),
)


def text(outcomes: Sequence[Outcome]) -> str:
    """Return the table."""
    lines = [_row(_HEADINGS), _row(["---"] * len(_HEADINGS))]
    return "\n".join([*lines, *(_row(_cells(outcome)) for outcome in outcomes)])


def _cells(outcome: Outcome) -> tuple[str, ...]:
    return (
        f"{outcome.attack.title} ({outcome.attack.count})",
        outcome.attack.limit,
        f"{outcome.acted:,}" if outcome.attack.counter else "-",
        f"{outcome.connections:,}",
        f"{outcome.memory_bytes / 2**20:.1f} MB",
        f"{outcome.cpu_percent:.0f} %",
        f"{outcome.quiet.p99_ms:.2f} ms",
        f"{outcome.busy.p99_ms:.2f} ms",
        f"{outcome.ratio:.1f}",
        f"{outcome.busy.failures}",
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
