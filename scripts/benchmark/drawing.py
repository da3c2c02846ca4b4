"""The result as an SVG table for the documentation: light, no script, no outside font."""

from collections.abc import Iterator, Sequence
from html import escape

from scripts.benchmark.table import Result

TITLE_WIDTH = 280
COLUMN_WIDTHS = (118, 78, 74)
COLUMN_NAMES = ("CPU µs (× nginx)", "req/s", "p99 ms")
GROUP_WIDTH = sum(COLUMN_WIDTHS) + 14
ROW_HEIGHT = 30
HEAD_HEIGHT = 62
MARGIN = 16
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .small { font-size: 11px; fill: #6e7781 }
  .strong { font-weight: 600 }
  .ours { font-weight: 600; fill: #0550ae }
"""


def label(x: float, y: float, content: str, style: str = "", *, right: bool = False) -> str:
    """Return one text element."""
    anchor = ' text-anchor="end"' if right else ""
    return f'<text x="{x:g}" y="{y:g}" class="{style}"{anchor}>{escape(content)}</text>'


def cells(result: Result, proxy: str) -> tuple[str, str, str]:
    """Return the cells of one proxy in one row."""
    ratio = result.ratio(proxy)
    cost = result.cost_text(proxy) + (f"  ({ratio:.2f}×)" if ratio is not None and proxy != "nginx" else "")
    sample = result.medians[proxy]
    if result.workload.is_idle:
        return cost, "", ""
    return cost, f"{sample.requests_per_s:,.0f}", f"{sample.p99_ms:.1f}"


def head(proxies: Sequence[str]) -> Iterator[str]:
    """Yield the two lines of headings."""
    yield label(MARGIN, HEAD_HEIGHT - 14, "workload", "small")
    for number, proxy in enumerate(proxies):
        right = MARGIN + TITLE_WIDTH + number * GROUP_WIDTH
        yield label(right + COLUMN_WIDTHS[0], 26, proxy, "strong", right=True)
        for width, name in zip(COLUMN_WIDTHS, COLUMN_NAMES, strict=True):
            right += width
            yield label(
                right,
                HEAD_HEIGHT - 14,
                name.replace(" (× nginx)", "") if proxy == "nginx" else name,
                "small",
                right=True,
            )


def body(results: Sequence[Result], proxies: Sequence[str], width: float) -> Iterator[str]:
    """Yield the rows, every second one on a tinted band."""
    for line, result in enumerate(results):
        top = HEAD_HEIGHT + line * ROW_HEIGHT
        if line % 2 == 0:
            yield f'<rect x="0" y="{top}" width="{width:g}" height="{ROW_HEIGHT}" fill="#f6f8fa"/>'
        yield label(MARGIN, top + 20, result.workload.title)
        for number, proxy in enumerate(proxies):
            right = MARGIN + TITLE_WIDTH + number * GROUP_WIDTH
            for column, (cell_width, content) in enumerate(zip(COLUMN_WIDTHS, cells(result, proxy), strict=True)):
                right += cell_width
                style = "ours" if proxy == "gproxy" and column == 0 else ""
                yield label(right, top + 20, content, style, right=True)


def svg(results: Sequence[Result], caption: str) -> str:
    """Return the drawing; `caption` is one line below the table that says where and how it was measured."""
    proxies = list(results[0].medians)
    width = 2 * MARGIN + TITLE_WIDTH + GROUP_WIDTH * len(proxies)
    height = HEAD_HEIGHT + ROW_HEIGHT * len(results) + 32
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"',
        f'     viewBox="0 0 {width} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
        *head(proxies),
        *body(results, proxies, width),
        label(MARGIN, height - 12, caption, "small"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
