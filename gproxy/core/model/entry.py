"""Who may use an API."""

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from gproxy.core.access import AddressRule
from gproxy.core.model.base import Part, Set
from gproxy.core.networks import network


def _network(text: str) -> str:
    return str(network(text))


Networks = Set[Annotated[str, AfterValidator(_network)]]


class Access(Part):
    """Addresses and networks that may use an API, or may not: the narrowest one that fits decides."""

    allow: Networks = ()
    deny: Networks = ()

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        AddressRule.compile(self.allow, self.deny)
        return self
