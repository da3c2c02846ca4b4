"""The conditions of a routing of fagongzi/gateway: `desc = "x"; deadline = 9; rule = ["$HEADER_x == a"]; or = []`."""

import re
from dataclasses import dataclass, field
from typing import Final

_ENTRY: Final = re.compile(
    r"""\s*(?P<name>\w+)\s*=\s*
        (?:"(?P<text>(?:[^"\\]|\\.)*)" | (?P<number>-?\d+) | \[(?P<items>(?:\s*"(?:[^"\\]|\\.)*"\s*,?)*)\s*\])
        \s*;?\s*""",
    re.VERBOSE,
)
_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
#: As the seed looked for the operator: the first one in the text, with the longer ones first.
_CONDITION: Final = re.compile(
    r"^\s*\$(HEADER|COOKIE|QUERY)_(.+?)\s*(==|<=|<|>=|>|\bin\b|~)\s*(.+?)\s*$", re.IGNORECASE
)


class BadRules(Exception):
    """This text is not what the seed could have read; the text of the error says where."""


@dataclass(slots=True)
class Rules:
    """Conditions in our words: `all` must hold, or one of `any`; `deadline_s` 0: none."""

    all: list[str] = field(default_factory=list)
    any: list[str] = field(default_factory=list)
    deadline_s: int = 0
    remarks: list[str] = field(default_factory=list)


def parse_rules(cfg: str) -> Rules:
    """Return what a cfg says. Raises BadRules."""
    rules, at = Rules(), 0
    while at < len(cfg.rstrip()):
        entry = _ENTRY.match(cfg, at)
        if entry is None:
            raise BadRules(f"at {cfg[at : at + 20]!r}")
        at = entry.end()
        name = entry["name"]
        if name in ("rule", "or"):
            items = [_ESCAPE.sub(r"\1", item) for item in _ITEM.findall(entry["items"] or "")]
            (rules.all if name == "rule" else rules.any).extend(_condition(item, rules.remarks) for item in items)
        elif name == "deadline":
            rules.deadline_s = int(entry["number"] or 0)
        elif name == "desc":
            rules.remarks.append(f"desc: {entry['text'] or ''}")
        elif name == "order":
            rules.remarks.append("order: was never read by the seed; set priority if it should count")
        else:
            rules.remarks.append(f"{name}: is unknown and not taken over")
    return rules


def _condition(text: str, remarks: list[str]) -> str:
    found = _CONDITION.match(text)
    if found is None:
        raise BadRules(f"in {text!r}")
    where, name, operator, value = found[1].lower(), found[2], found[3].lower(), found[4]
    if operator == "in":
        operator = "contains"
        remarks.append(f"{text!r}: `in` looked for the text within the value, which is `contains` here")
    if re.search(r"[\s,]", value) and '"' not in value:
        value = f'"{value}"'
    return f"${where}_{name} {operator} {value}"
