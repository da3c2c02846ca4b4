import pytest

from scripts.attacks.__main__ import main


def test_unknown_attacks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--only", "slow_heads,rudeness"])
    assert caught.value.code == 2
    assert "unknown: rudeness; there are slow_heads," in capsys.readouterr().err
