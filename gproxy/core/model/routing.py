"""Rules that steer traffic among clusters: A/B tests, canaries, mirrors."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gproxy.core import comparison, moment, request_key
from gproxy.core.expression import compile_expression
from gproxy.core.model.base import HeaderName, Name, Part, Path, Percent, Priority, Set

#: Largest body of a request that is copied and of an answer that is compared, and longest time of a copy.
MOST_BODY_BYTES: Final = 1 << 20
MOST_TIMEOUT_S: Final = 300


def _expression(text: str) -> str:
    compile_expression(text)
    return text.strip()


def _moment(text: str) -> str:
    moment.seconds(text)
    return text


Expression = Annotated[str, AfterValidator(_expression)]


class When(Part):
    """Conditions: all of `all` must hold, or one of `any`. Without any they hold for every request."""

    all: Set[Expression] = ()
    any: Set[Expression] = ()


class Compare(Part):
    """What is compared of the answers to a request and to its copy, in `percent` of the cases.

    Their statuses, these `headers`, and with `body` their bodies; `ignore` are paths in JSON bodies.
    """

    percent: Percent = 100.0
    headers: Set[HeaderName] = ()
    ignore: Set[Annotated[str, AfterValidator(comparison.check_path)]] = ()
    body: bool = True


class Routing(Part):
    """A rule for the requests of an API (without `api`: of every API with one node), or of one of its nodes.

    It applies to `percent` of the requests with this `path` for which `when` holds; with `sticky` always to the same
    ones. It is tried before rules with a lower `priority`, and not any more after `expires_at`. With `action: mirror`
    the cluster gets copies: of requests with no more than `max_body_bytes`, each for `timeout_s`.
    """

    name: Name
    priority: Priority = 0
    api: Name | None = None
    node: Name | None = None
    path: Path | None = None
    when: When = When()
    cluster: Name
    percent: Percent = 100.0
    sticky: Annotated[str, AfterValidator(request_key.check)] | None = None
    action: Literal["split", "mirror"] = "split"
    timeout_s: Annotated[float, Field(gt=0, le=MOST_TIMEOUT_S)] = 5.0
    max_body_bytes: Annotated[int, Field(ge=0, le=MOST_BODY_BYTES)] = 65_536
    compare: Compare | None = None
    expires_at: Annotated[str, AfterValidator(_moment)] | None = None
    status: Literal["up", "down"] = "up"

    @model_validator(mode="after")
    def _mirrors_what_it_says(self) -> Self:
        for name in ("timeout_s", "max_body_bytes", "compare"):
            is_given = getattr(self, name) != type(self).model_fields[name].default
            if is_given and self.action != "mirror":
                raise ValueError(f"{name} is given, but action is {self.action}")
        return self
