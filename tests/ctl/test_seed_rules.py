import pytest

from gproxy.core.expression import compile_expression
from gproxy.ctl.seed_rules import BadRules, parse_rules

CFG = """
desc = "beta \\"testers\\"";
deadline = 3600;
order = 1;
rule = ["$HEADER_x-group == beta", "$COOKIE_age >= 18"];
or = ["$QUERY_name in ada", "$HEADER_ua ~ ^Mozilla/[0-9]+", "$QUERY_q == two words",];
"""


def test_conditions_are_said_in_our_words() -> None:
    rules = parse_rules(CFG)
    assert rules.all == ["$header_x-group == beta", "$cookie_age >= 18"]
    assert rules.any == ["$query_name contains ada", "$header_ua ~ ^Mozilla/[0-9]+", '$query_q == "two words"']
    assert rules.deadline_s == 3600
    assert rules.remarks == [
        'desc: beta \\"testers\\"',
        "order: was never read by the seed; set priority if it should count",
        "'$QUERY_name in ada': `in` looked for the text within the value, which is `contains` here",
    ]
    for text in (*rules.all, *rules.any):
        compile_expression(text)


def test_nothing_is_no_condition() -> None:
    rules = parse_rules("")
    assert (rules.all, rules.any, rules.deadline_s, rules.remarks) == ([], [], 0, [])


@pytest.mark.parametrize("cfg", ["nonsense", 'rule = ["x"]', 'rule = ["$BODY_x == 1"]', "rule = [", "="])
def test_what_the_seed_could_not_have_read_is_said(cfg: str) -> None:
    with pytest.raises(BadRules):
        parse_rules(cfg)


def test_other_entries_are_remarked() -> None:
    assert parse_rules("color = 5").remarks == ["color: is unknown and not taken over"]
