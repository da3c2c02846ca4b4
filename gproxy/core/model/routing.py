"""Rules that steer traffic among clusters: A/B tests, canaries, mirrors."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from gproxy.core import moment, request_key
from gproxy.core.expression import compile_expression
from gproxy.core.model.base import Name, Part, Path, Percent, Priority, Set


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


class Routing(Part):
    """A rule for the requests of an API (without `api`: of every API with one node), or of one of its nodes.

    It applies to `percent` of the requests with this `path` for which `when` holds; with `sticky` always to the same
    ones. It is tried before rules with a lower `priority`, and not any more after `expires_at`.
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
    action: Literal["split"] = "split"
    expires_at: Annotated[str, AfterValidator(_moment)] | None = None
    status: Literal["up", "down"] = "up"
