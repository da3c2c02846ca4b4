"""What is told about the requests of an API."""

from gproxy.core.model.base import Part, Percent


class AccessLog(Part):
    """Which requests of the API have a line in the access log, in place of what the INI says.

    `percent` is the share of all requests; with `errors` each that is refused, broken off, or answered with 400 or
    more has its line all the same. {percent: 0, errors: false} is none at all.
    """

    percent: Percent = 100.0
    errors: bool = True
