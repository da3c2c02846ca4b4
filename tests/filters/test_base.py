from gproxy.core.variables import Request
from gproxy.filters import base
from gproxy.worker.exchange import Exchange


def test_an_exchange_of_the_worker_is_what_filters_rely_on() -> None:
    wanted = {
        *base.Exchange.__annotations__,
        *(name for of in (base.Exchange, Request) for name in vars(of) if not name.startswith("_")),
    }
    assert wanted >= {"method", "target", "forward", "outgoing", "field"}
    assert all(hasattr(Exchange, name) for name in wanted)
