from gproxy.core.upgrade import Upgrade

DOCUMENT = {"protocols": ["websocket", "Foo/1"], "idle_s": 300, "total_s": 0, "drain_s": 5}


def test_which_protocols_are_allowed() -> None:
    upgrade = Upgrade.compiled(DOCUMENT)
    assert upgrade is not None
    assert [upgrade.allows(name) for name in (b"WebSocket", b"foo/1")] == [True, True]
    assert not any(upgrade.allows(name) for name in (b"", b"h2c", b"websocket, foo/1", b"foo"))
    assert (upgrade.idle_s, upgrade.total_s, upgrade.drain_s) == (300, 0, 5)


def test_none_is_none() -> None:
    assert Upgrade.compiled(None) is None
