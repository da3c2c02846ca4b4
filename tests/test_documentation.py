"""The documentation holds together: links lead somewhere, every page is in the index, and none is too long to read."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MAX_README_LINES, MAX_PAGE_LINES, MAX_COLUMNS = 300, 250, 120

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
#: A file of the project, named in a text: its first folder is one of these.
_NAMED = re.compile(r"(?<![\w./-])(?:docs|conf|scripts|tests|gproxy|gadmin)/[\w./-]*\w")


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """Return what headings are linked by: as on GitHub, in lower case, blanks as hyphens, without punctuation."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in _HEADING.findall(text)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def dead_links(page: Path, text: str) -> Iterator[str]:
    """Yield the links of a page, with this text, to files and headings of the project that do not exist."""
    for link in _LINK.findall(_CODE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = page.parent / name if name else page
        is_there = target.exists() and ROOT in target.resolve().parents
        if not is_there or (anchor and anchor not in anchors(text if target == page else prose(target))):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dead_links(page, prose(page))) == []


def test_a_dead_link_is_noticed() -> None:
    page, text = ROOT / "README.md", "# To *it*, `now`\n[a](docs/tls.md) [b](#to-it-now) [c](https://example.com/x)\n"
    assert list(dead_links(page, text)) == []
    text += "[d](docs/gone.md) [e](#gone) [f](docs/tls.md#gone) [g](docs/tls.md#certificates) [h](../other)"
    assert list(dead_links(page, text)) == ["docs/gone.md", "#gone", "docs/tls.md#gone", "../other"]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = sorted(set(_NAMED.findall(prose(page))))
    assert [name for name in named if not any(ROOT.glob(f"{name}*"))] == []


def test_every_page_is_in_the_index() -> None:
    index = prose(ROOT / "README.md").partition("\n## The guide\n")[2]
    linked = {link.partition("#")[0] for link in _LINK.findall(index)}
    assert {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"} <= linked


@pytest.mark.parametrize("page", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_pages_can_be_read(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    most = MAX_README_LINES if page.name == "README.md" else MAX_PAGE_LINES
    assert len(lines) <= most, "make a page of its own in docs/ out of a part, and link it in the guide of the README"
    long = [line for line in prose(page).splitlines() if len(line) > MAX_COLUMNS and not line.startswith("|")]
    assert long == []
