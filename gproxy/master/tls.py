"""What a generation needs to speak TLS: certificates in a vault, checked before it starts, and fronts for tickets.

The check runs in a process of its own: it needs a library for certificates that the master has no other use for.
"""

from __future__ import annotations

import logging
import os
import signal
import ssl
import time
from collections.abc import Callable
from typing import Final

from gproxy.role import FRONT_S, TlsShare
from gproxy.settings import TlsSection
from gproxy.shared.vault import Vault

log = logging.getLogger(__name__)

#: A month without a reload; after that the last one stays.
FRONTS: Final = 31
#: A thousand certificates take half a second; a folder on a dead network drive takes for ever.
CHECK_S: Final = 20.0
_LOOK_S: Final = 0.005


class CannotSpeakTls(Exception):
    """TLS cannot be spoken with these settings; the text is one line that says why."""


def share_for(settings: TlsSection, before: TlsShare | None) -> TlsShare:
    """Check the certificates and return what the workers get. Raises CannotSpeakTls, OSError.

    From `before` come the ticket keys, while they are fresh, and what was good of pairs that are bad now.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(settings.ciphers)
    except ssl.SSLError:
        raise CannotSpeakTls(f"[tls] ciphers = {settings.ciphers}: OpenSSL knows none of them") from None
    vault = Vault.create()
    if before is not None:
        vault.publish(before.vault.read()[1])
    try:
        in_process_of_its_own(lambda: _check(settings, vault))
        if missing := _what_is_missing(settings, vault):
            raise CannotSpeakTls(missing)
    except BaseException:
        vault.close()
        raise
    now_s = time.monotonic()
    if before is not None and now_s < before.since_s + (len(before.fronts) - 1) * FRONT_S:
        return TlsShare(vault, before.fronts, before.since_s)
    return TlsShare(vault, tuple(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(FRONTS)), now_s)


def _what_is_missing(settings: TlsSection, vault: Vault) -> str:
    from gproxy.core.bundle import Bundle

    bundle = Bundle.unpack(vault.read()[1])
    if not bundle.pairs:
        return f"[tls] certificates = {settings.certificates}: there is no certificate that can be used"
    if settings.client_certificates != "off" and not bundle.client_authorities:
        return f"[tls] client_ca_file = {settings.client_ca_file}: there is no certificate in it"
    return ""


def _check(settings: TlsSection, vault: Vault) -> None:
    from gproxy.certificates.keeper import Keeper

    now_s = time.time()
    keeper = Keeper(settings, vault, now_s)
    keeper.look(now_s)
    keeper.tell_all()


def in_process_of_its_own(task: Callable[[], None], within_s: float = CHECK_S) -> None:
    """Run `task` in a child process and wait for it, killing it after `within_s`. Raises OSError."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            task()
            code = 0
        except Exception:
            log.exception("the check of the certificates failed")
        finally:
            os._exit(code)
    end_s = time.monotonic() + within_s
    while not os.waitpid(pid, os.WNOHANG)[0]:
        if time.monotonic() > end_s:
            log.error("the check of the certificates takes too long and is given up", extra={"limit_s": within_s})
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(_LOOK_S)
