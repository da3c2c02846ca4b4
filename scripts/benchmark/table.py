"""The result as rows of text: for the terminal, and for the drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.benchmark.measure import Sample
from scripts.benchmark.workloads import Workload

REFERENCE = "nginx"
NOISE_PERCENT = 10.0


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of one workload by proxy, in the order of the columns."""

    workload: Workload
    medians: dict[str, Sample]

    def ratio(self, proxy: str) -> float | None:
        """Return the cost of a proxy divided by that of nginx, None when nginx was not measured."""
        reference = self.medians.get(REFERENCE)
        return self.medians[proxy].cost / reference.cost if reference and reference.cost > 0 else None

    def cost_text(self, proxy: str) -> str:
        """Return the cost with as many digits as it is worth: microseconds, for the idle workload KB."""
        cost = self.medians[proxy].cost
        if self.workload.is_idle:
            return f"{cost / 1024:.1f} KB"
        return f"{cost:,.0f}" if cost >= 100 else f"{cost:.1f}"


HEADINGS = ("workload", "proxy", "CPU us/req", "x nginx", "req/s", "p50 ms", "p99 ms", "RSS MB")


def row(result: Result, proxy: str) -> tuple[str, ...]:
    """Return the cells of one line, in the order of HEADINGS after the first."""
    sample, ratio = result.medians[proxy], result.ratio(proxy)
    ratio_text = "-" if ratio is None else f"{ratio:.2f}"
    rss_text = f"{sample.rss_bytes / 2**20:.0f}"
    if result.workload.is_idle:
        return (proxy, result.cost_text(proxy), ratio_text, "", "", "", rss_text)
    return (
        *(proxy, result.cost_text(proxy), ratio_text),
        *(f"{sample.requests_per_s:,.0f}", f"{sample.p50_ms:.2f}", f"{sample.p99_ms:.2f}", rss_text),
    )


def text(results: Sequence[Result]) -> str:
    """Return the table for the terminal, one block of lines for each workload."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    for result in results:
        for number, proxy in enumerate(result.medians):
            lines.append(("" if number else result.workload.title, *row(result, proxy)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    printed = []
    for line in lines:
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        if line[0]:
            printed.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
        printed.append("  ".join(left + right).rstrip())
    return "\n".join(printed[1:])


def notes(results: Sequence[Result], python_options: str) -> list[str]:
    """Return what a reader must know to judge the figures: what is not in them, what disturbed them.

    `python_options` are those that gproxy's Python was configured with when it was built.
    """
    found = []
    if "--enable-optimizations" not in python_options and any("gproxy" in result.medians for result in results):
        found.append(
            "this Python was built without --enable-optimizations: with one that was, as distributions do, gproxy "
            "takes about a tenth less"
        )
    supervising = [result.medians["gproxy"].supervisors_percent for result in results if "gproxy" in result.medians]
    if supervising:
        found.append(
            "gproxy's master, sync and monitor together took at most "
            f"{max(supervising):.1f} % of the core (not counted above)"
        )
    everything = [(result, proxy, sample) for result in results for proxy, sample in result.medians.items()]
    for result, proxy, sample in everything:
        if sample.errors:
            found.append(f"{result.workload.name} on {proxy}: {sample.errors:,.0f} requests FAILED")
    noise = [sample.others_percent for _, _, sample in everything if sample.others_percent > NOISE_PERCENT]
    if noise:
        found.append(
            f"the machine was busy: in {len(noise)} of {len(everything)} figures others took more than "
            f"{NOISE_PERCENT:.0f} % of the proxy's core (up to {max(noise):.0f} %)"
        )
    return found
