"""The settings of gadmin, as one table; `conf/gadmin.ini` is that table written out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gproxy import settings as node_settings
from gproxy import settings_table
from gproxy import settings_values as values
from gproxy.settings import StoreSection
from gproxy.settings_table import Key, Sections, SettingsError

#: Used when `gadmin` is started without -c and this file exists.
DEFAULT_PATH: Final = Path("conf/gadmin.ini")


@dataclass(frozen=True, slots=True)
class GadminSection:
    """[gadmin]: where it listens."""

    bind: str
    threads: int
    cert_file: Path | None
    key_file: Path | None
    trusted_proxy: str


@dataclass(frozen=True, slots=True)
class AccountsSection:
    """[accounts]: users, sessions and tokens."""

    url: str
    session_hours: float


@dataclass(frozen=True, slots=True)
class FleetSection:
    """[fleet]: which nodes are asked, and how long for an answer."""

    nodes: tuple[str, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class LogSection:
    """[log]: `file` is a path or "-"."""

    level: str
    file: str
    format: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of an admin, checked."""

    gadmin: GadminSection
    store: StoreSection
    accounts: AccountsSection
    fleet: FleetSection
    log: LogSection


SECTIONS: Final[Sections] = {
    "gadmin": GadminSection,
    "store": StoreSection,
    "accounts": AccountsSection,
    "fleet": FleetSection,
    "log": LogSection,
}


def _threads(text: str) -> int:
    number = values.whole(text)
    if not 2 <= number <= 256:
        raise ValueError("must be a number from 2 to 256")
    return number


def _store_url_or_none(text: str) -> str:
    return values.store_url(text) if text else ""


def _hours(text: str) -> float:
    number = values.seconds(text)
    if not number:
        raise ValueError("must be more than 0")
    return number


def _controls(text: str) -> tuple[str, ...]:
    return tuple(values.bind(item.removeprefix("http://").rstrip("/")) for item in values.items(text))


KEYS: Final = (
    Key("gadmin", "bind", values.bind, "127.0.0.1:9901",
        "Where pages and the REST interface are served: host:port, [v6]:port, :port or unix:/path."),
    Key("gadmin", "threads", _threads, "16", "Maximum concurrent requests."),
    Key("gadmin", "cert_file", values.optional_path, "", "Serve HTTPS with this certificate chain (PEM)."),
    Key("gadmin", "key_file", values.optional_path, "", "Key of the certificate (PEM)."),
    Key("gadmin", "trusted_proxy", values.text, "",
        "Address of a proxy in front whose X-Forwarded-For, -Proto and -Host are trusted."),
    *(key for key in node_settings.KEYS if key.section == "store"),
    Key("accounts", "url", _store_url_or_none, "",
        "Store of users, sessions and tokens; empty: beside the configuration (NAME-accounts)."),
    Key("accounts", "session_hours", _hours, "12", "Hours after which a user has to log in again."),
    Key("fleet", "nodes", _controls, "",
        "Control endpoints of nodes that are not registered in the store, comma list."),
    Key("fleet", "timeout_s", _hours, "1", "A node that has not answered after this many seconds is shown as slow."),
    Key("log", "level", values.one_of("debug", "info", "warning", "error"), "info",
        "Level of the program log: debug, info, warning or error."),
    Key("log", "file", values.log_target("-"), "-", "Program log: - (standard error) or a path."),
    Key("log", "format", values.one_of("text", "json"), "text",
        "Format of the program log: text, or json (one object per line)."),
)  # fmt: skip


def good(path: Path | None) -> str:
    """Say that the settings are good, and which file was checked."""
    return settings_table.good(path, DEFAULT_PATH)


def load(path: Path | None, overrides: Mapping[str, Mapping[str, str]] | None = None) -> Settings:
    """Read the INI file and check every value of it. Raises SettingsError with all problems.

    `path` None means `DEFAULT_PATH` if it exists, else the defaults alone; `overrides` win over the file.
    """
    if path is None and DEFAULT_PATH.exists():
        path = DEFAULT_PATH
    settings = Settings(**settings_table.load(KEYS, SECTIONS, path, overrides))
    if (settings.gadmin.cert_file is None) != (settings.gadmin.key_file is None):
        raise SettingsError(["[gadmin] cert_file and key_file go together"])
    return settings
