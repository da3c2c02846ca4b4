"""Which branch wins, and that the others are not walked for nothing."""

from itertools import product

import pytest

from gproxy.core.pattern import Pattern
from gproxy.core.trie import Entry, Found, Key, Node, insert, walk


def entry(text: str, priority: int = 0, methods: frozenset[bytes] | None = None) -> Entry:
    pattern = Pattern.parse(text)
    return Entry((-priority, pattern.rank, 0, text), methods, pattern, Found(text, ()))


def trie(*entries: Entry) -> Node:
    root = Node(entries[0].key)
    for one in entries:
        insert(root, one)
    return root


def winner(root: Node, path: bytes, best: Entry | None = None) -> object:
    found = walk(root, path.split(b"/"), b"GET", best)
    return found and found.found.target


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize(
    ("patterns", "winners"),
    [
        (
            ["/a/{x}/c", "/{x}/b/d", "/{x}/{y}/e", "/a/{x}/f"],
            {
                b"/a/b/c": "/a/{x}/c",
                b"/a/b/d": "/{x}/b/d",
                b"/a/b/e": "/{x}/{y}/e",
                b"/a/b/f": "/a/{x}/f",
                b"/a/b/g": None,
                b"/a/z/d": None,
                b"/a/b": None,
                b"/a/b/c/": None,
            },
        ),
        (
            ["/a/{x}/{y}", "/{x}/b/c", "/a/{x}/c", "/a/b/{y}"],
            {b"/a/b/c": "/a/b/{y}", b"/a/z/c": "/a/{x}/c", b"/z/b/c": "/{x}/b/c", b"/a/z/z": "/a/{x}/{y}"},
        ),
        (
            ["/a/b/c/d/*", "/{x}/*", "/a/{y}/c/{z}", "/{x}/b/*"],
            {
                b"/a/b/c/d/": "/a/b/c/d/*",
                b"/a/b/c/d": "/a/{y}/c/{z}",
                b"/a/b/d": "/{x}/b/*",
                b"/a/c/d": "/{x}/*",
                b"/a": None,
                b"//": None,
            },
        ),
        (
            ["/{a:int}/{b:x|y}", "/{a:int}/*", "/{a:1|2}/{b:int}", "/{any}/z"],
            {
                b"/1/x": "/{a:int}/{b:x|y}",
                b"/1/5": "/{a:1|2}/{b:int}",
                b"/3/5": "/{a:int}/*",
                b"/1/z": "/{any}/z",
                b"/q/x": None,
            },
        ),
    ],
)
def test_winners(patterns: list[str], winners: dict[bytes, str | None], step: int) -> None:
    root = trie(*[entry(text) for text in patterns[::step]])
    assert {path: winner(root, path) for path in winners} == winners


def test_priority_goes_before_everything_else() -> None:
    root = trie(entry("/a/{x}"), entry("/*", -1), entry("/{x}/*", 1), entry("/{x}/{y:int}", 2))
    assert [winner(root, path) for path in (b"/a/1", b"/a/b", b"/")] == ["/{x}/{y:int}", "/{x}/*", "/*"]


def test_only_something_better_replaces_what_was_found_before() -> None:
    root = trie(entry("/a/{x}"), entry("/b/*"))
    exact = entry("/a/b")
    assert winner(root, b"/a/b", exact) == "/a/b"
    assert winner(root, b"/a/b", entry("~.")) == "/a/{x}"


def test_a_method_that_is_not_allowed_moves_on() -> None:
    root = trie(entry("/a/{x}", methods=frozenset([b"PUT"])), entry("/{x}/b"))
    assert winner(root, b"/a/b") == "/{x}/b"


def test_best_is_the_smallest_key_beneath() -> None:
    entries = [entry("/{a}/{b}"), entry("/x/{b}", 1), entry("/x/*", 2), entry("/x/y/{c}")]
    root = trie(*entries)
    keys: list[Key] = sorted(one.key for one in entries)
    assert root.best == root.literals[b"x"].best == keys[0]
    assert root.untyped is not None
    assert root.untyped.best == entries[0].key


def test_branches_that_cannot_win_are_not_entered() -> None:
    """All 255 mixtures of a literal and a variable at eight places match, yet the best one is found in one way down."""

    class Counted(dict[bytes, Node]):
        looked_up = 0

        def get(self, key: bytes, default: Node | None = None) -> Node | None:  # type: ignore[override]
            Counted.looked_up += 1
            return super().get(key, default)

    def count(node: Node) -> None:
        for child in [*node.literals.values(), *([node.untyped] if node.untyped else [])]:
            count(child)
        node.literals = Counted(node.literals)

    mixtures = [
        "/"
        + "/".join(
            piece if literal else f"{{v{place}}}"
            for place, (piece, literal) in enumerate(zip("abcdefgh", choice, strict=True))
        )
        for choice in product([True, False], repeat=8)
        if not all(choice)
    ]
    root = trie(*[entry(text) for text in mixtures])
    count(root)
    assert winner(root, b"/a/b/c/d/e/f/g/h") == "/a/b/c/d/e/f/g/{v7}"
    assert Counted.looked_up <= 10
    Counted.looked_up = 0
    assert winner(root, b"/z/z/z/z/z/z/z/z") == "/" + "/".join(f"{{v{place}}}" for place in range(8))
    assert Counted.looked_up <= 10
