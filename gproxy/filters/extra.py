"""Filters of a user's own, named in the INI: found by their dotted path, called with a stopwatch and a fuse.

What such a filter raises, other than GatewayError and Reply, is an error of the filter: the request gets 500 and the
log names it. After `most_errors` in a row a worker stops calling it, for `rest_s` at a time; meanwhile requests pass
without it, or fail, as the INI says. docs/filters.md tells how to write one.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

from gproxy.core.errors import GatewayError
from gproxy.core.fuse import Fuse
from gproxy.core.reply import Reply

log = logging.getLogger(__name__)

HOOKS: Final = ("before", "after", "failed")


class FilterError(Exception):
    """A filter cannot be loaded; the text is one line that says why."""


class FilterFailed(GatewayError):
    """A filter of the user's own raised what it should not, or rests because it did so before."""


class Meter(Protocol):
    """Counts what one filter does."""

    def called(self, time_us: int) -> None:
        """Count a call of a hook."""
        ...

    def failed(self) -> None:
        """Count an error."""
        ...

    def rests(self, is_out: bool) -> None:
        """Note whether it is out of service."""
        ...


def find(name: str, folders: Sequence[str] = ()) -> Any:
    """Return the class that "package.module:Class" names; raises FilterError.

    `folders` are where Python looks first.
    """
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise FilterError(f"filter {name} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(getattr(found, "for_api", None)):
        raise FilterError(f"filter {name} has no for_api")
    return found


@dataclass(slots=True)
class Extra:
    """One filter of a worker. `bypasses`: requests pass without it while it rests. `tell` hears of rests."""

    name: str
    cls: Any
    fuse: Fuse
    meter: Meter
    bypasses: bool
    tell: Callable[[bool], None]

    def for_api(self, document: Mapping[str, Any]) -> Any:
        """Return the hooks for an API, None when the filter has nothing to do with it."""
        try:
            made = self.cls.for_api(document)
        except Exception as error:
            log.exception("a filter cannot be made for an API", extra={"filter": self.name, "api": document["name"]})
            made = None if self.bypasses else _Refusing(self.name, f"for_api: {error!r}")
        return None if made is None else _Hooks(self, made)

    def call(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        """Call a hook and return what it does; raises what answers the request, and FilterFailed."""
        began = monotonic()
        if not self.fuse.may_try(began):
            if self.bypasses:
                return None
            raise FilterFailed("The gateway failed to handle this request.", f"filter {self.name} rests after errors")
        try:
            result = hook(*arguments)
        except (GatewayError, Reply):
            self._succeeded()
            raise
        except Exception as error:
            self._failed(error, arguments[0])
            raise FilterFailed("The gateway failed to handle this request.", f"filter {self.name}: {error!r}") from None
        finally:
            self.meter.called(int((monotonic() - began) * 1e6))
        self._succeeded()
        return result

    def _succeeded(self) -> None:
        if self.fuse.succeeded():
            log.warning("a filter is called again", extra={"filter": self.name})
            self.meter.rests(False)
            self.tell(False)

    def _failed(self, error: Exception, exchange: Any) -> None:
        request_id = exchange.request_id.decode("ascii")
        log.error("a filter failed", exc_info=error, extra={"filter": self.name, "request_id": request_id})
        self.meter.failed()
        if self.fuse.failed(monotonic()):
            meanwhile = "requests pass without it" if self.bypasses else "requests get 500"
            log.error("a filter rests after errors in a row", extra={"filter": self.name, "meanwhile": meanwhile})
            self.meter.rests(True)
            self.tell(True)


class _Hooks:
    """The hooks that a filter has for one API, each called through its Extra; no attribute for the others."""

    def __init__(self, extra: Extra, made: Any) -> None:
        hooks = {name: hook for name in HOOKS if (hook := getattr(made, name, None)) is not None}
        if "before" in hooks:
            self.before = lambda exchange: extra.call(hooks["before"], exchange)
        if "after" in hooks:
            self.after = lambda exchange, head: extra.call(hooks["after"], exchange, head) or head
        if "failed" in hooks:
            self.failed = lambda exchange, error: _quietly(extra, hooks["failed"], exchange, error)


def _quietly(extra: Extra, hook: Callable[..., Any], exchange: Any, error: GatewayError) -> None:
    """Call a hook for a request that has failed: a failure of its own does not hide the one that it is told."""
    with contextlib.suppress(FilterFailed):
        extra.call(hook, exchange, error)


class _Refusing:
    """Stands in for a filter that cannot be made."""

    def __init__(self, name: str, reason: str) -> None:
        self._reason = f"filter {name}: {reason}"

    def before(self, exchange: Any) -> None:
        """Refuse the request."""
        raise FilterFailed("The gateway failed to handle this request.", self._reason)
