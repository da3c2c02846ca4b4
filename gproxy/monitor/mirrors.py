"""What /mirrors tells: how the copies of each mirroring rule fare, and the last answers that differed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gproxy.core.events import Thing
from gproxy.monitor.sampler import Sampler, requests
from gproxy.shared import layout
from gproxy.shared.samples import samples
from gproxy.shared.table import Table

#: So many samples of each rule are told, the newest.
MOST_SAMPLES: Final = 20


def document(table: Table, sampler: Sampler, node: str) -> dict[str, Any]:
    """Return the answer to /mirrors: the rules by name, the samples of each newest first."""
    found = _by_rule(samples(table))
    rules = sorted(
        (named for named in sampler.objects.values() if named.thing is Thing.ROUTING and named.is_mirror),
        key=lambda named: named.name,
    )
    return {
        "node": node,
        "mirrors": [
            {
                "name": named.name,
                "copies": requests(cells),
                "active": cells[layout.ROW_ACTIVE],
                "unanswered": cells[layout.ROW_UNANSWERED],
                "dropped": cells[layout.ROW_REJECTED],
                **{name: cells[cell] for name, cell in layout.ROUTING_COUNTER_NAMES.items()},
                "samples": found.get(named.name, [])[:MOST_SAMPLES],
            }
            for named in rules
            for cells in (sampler.reader.cells(named.row),)
        ],
    }


def _by_rule(texts: Iterable[bytes]) -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for sample in sorted(map(json.loads, texts), key=lambda sample: -sample["time_ms"]):
        found.setdefault(sample.pop("rule"), []).append(sample)
    return found
