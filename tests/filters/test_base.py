from gproxy.filters import base
from gproxy.worker.exchange import Exchange


def test_an_exchange_of_the_worker_is_what_filters_rely_on() -> None:
    wanted = {*base.Exchange.__annotations__, *(name for name in vars(base.Exchange) if not name.startswith("_"))}
    assert wanted >= {"method", "target", "forward", "outgoing", "field"}
    assert all(hasattr(Exchange, name) for name in wanted)
