from gproxy.core.fuse import Fuse


def test_it_blows_at_errors_in_a_row() -> None:
    fuse = Fuse(3, 10)
    assert [fuse.failed(0), fuse.failed(0), fuse.succeeded(), fuse.failed(0), fuse.failed(0)] == [False] * 5
    assert fuse.may_try(1)
    assert fuse.failed(1)
    assert fuse.is_blown
    assert not fuse.may_try(10.9)


def test_one_call_tries_again_after_the_rest() -> None:
    fuse = Fuse(1, 10)
    assert fuse.failed(0)
    assert fuse.may_try(10)
    assert not fuse.may_try(11)
    assert not fuse.failed(12), "it rests already"
    assert not fuse.may_try(21.9)
    assert fuse.may_try(22)
    assert fuse.succeeded()
    assert not fuse.is_blown
    assert fuse.may_try(22)


def test_it_may_never_blow() -> None:
    fuse = Fuse(0, 10)
    assert not any(fuse.failed(0) for _ in range(100))
    assert fuse.may_try(0)
