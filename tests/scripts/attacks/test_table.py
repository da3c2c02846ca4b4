from scripts.attacks import table
from scripts.attacks.attacks import Attack
from scripts.attacks.measure import Outcome
from scripts.attacks.polite import Service


def test_a_row_for_each_attack() -> None:
    quiet, busy = Service(100, 0, 1.0, 2.0, 3.0), Service(90, 1, 1.0, 5.0, 9.0)
    outcomes = [
        Outcome(Attack("one", "slow_heads", 1000, "head_s", "slow_heads"), quiet, busy, 12.3, 3 << 20, 1234, 900),
        Outcome(Attack("two", "tiny_chunks", 4, "turns"), quiet, busy, 50.0, 0, 0, 4),
    ]
    _, line, first, second = table.text(outcomes).splitlines()
    assert set(line) == set("| -")
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells == ["one (1000)", "head_s", "1,234", "900", "3.0 MB", "12 %", "2.00 ms", "5.00 ms", "2.5", "1"]
    assert "| - | 4 |" in second
