from gproxy.settings import KEYS
from gproxy.shared.layout import COUNTER_NAMES
from scripts.attacks.attackers import ATTACKERS
from scripts.attacks.attacks import ATTACKS


def test_every_attacker_is_in_the_table_once() -> None:
    assert sorted(attack.attacker for attack in ATTACKS) == sorted(ATTACKERS)


def test_counters_and_settings_are_real() -> None:
    known = {(key.section, key.name) for key in KEYS}
    for attack in ATTACKS:
        assert not attack.counter or attack.counter in COUNTER_NAMES
        assert {(section, name) for section, keys in attack.settings.items() for name in keys} <= known
