from dataclasses import FrozenInstanceError

import pytest

from gproxy import settings
from gproxy.role import NO_SLOT, Context
from gproxy.shared.table import Table


def test_a_context_cannot_be_changed_by_a_role() -> None:
    table = Table.create(slots=1, rows=64)
    context = Context(settings.load(None), table, NO_SLOT, (), 1)
    with pytest.raises(FrozenInstanceError):
        context.slot = 0  # type: ignore[misc]
    table.close()
