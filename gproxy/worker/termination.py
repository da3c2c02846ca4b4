"""TLS towards clients: who shows which certificate, under which rules, with sessions that outlive workers.

Every connection begins with a *front*, a context without a certificate. When the client has named its host, the
connection moves on to the context of the certificate for it, made when it is first asked for: parsing a key takes 2 ms
and a context 15 KB, so a thousand certificates cost nothing before they are used. Session tickets stay with the front.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections import OrderedDict
from time import monotonic, time
from typing import TYPE_CHECKING

from gproxy.core.bundle import Bundle, Pair
from gproxy.core.server_names import ServerNames
from gproxy.role import FRONT_S

if TYPE_CHECKING:
    from gproxy.role import TlsShare
    from gproxy.settings import TlsSection

log = logging.getLogger(__name__)

#: contexts kept, those not used for longest make room
_MOST_CONTEXTS = 1024
#: what is spoken over TLS, preferred first (ALPN)
HTTP1 = ("http/1.1",)
HTTP2 = ("h2", "http/1.1")
_VERIFY = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Termination:
    """The certificates of a worker; `look` follows the vault. `front` is what a new connection begins with.

    `verifies`: clients are asked for certificates.
    """

    def __init__(self, settings: TlsSection, share: TlsShare, protocols: tuple[str, ...] = HTTP1) -> None:
        self._settings = settings
        self._protocols = list(protocols)
        self._share = share
        self.verifies = settings.client_certificates != "off"
        self._version, self._day = -1, -1
        self._bundle = Bundle()
        self._pairs: dict[str, Pair] = {}
        self._names = ServerNames((), "", 0.0)
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self.look()

    def look(self) -> None:
        """Take what is new in the vault, and go on to the next front when its day has come."""
        share = self._share
        day = int((monotonic() - share.since_s) / FRONT_S)
        is_new, is_next = share.vault.version() != self._version, day != self._day
        if is_new:
            self._load()
        if is_new or is_next:  # what was valid yesterday may not be today
            self._names = ServerNames(
                (pair.certificate for pair in self._bundle.pairs), self._settings.default_certificate, time()
            )
        if is_next and not self.verifies:
            self.front = self._dressed(share.fronts[min(day, len(share.fronts) - 1)])
        self._day = day

    def _load(self) -> None:
        before = self._bundle
        self._version, value = self._share.vault.read()
        self._bundle = bundle = Bundle.unpack(value)
        self._pairs = {pair.certificate.name: pair for pair in bundle.pairs}
        used = {pair.digest for pair in bundle.pairs}
        if bundle.client_authorities != before.client_authorities:
            used.clear()
        for digest in self._contexts.keys() - used:
            del self._contexts[digest]
        if self.verifies:
            # A session that is resumed is not verified again: it must not outlive what it was verified with. So there
            # are no tickets, and what OpenSSL remembers by itself goes with the front.
            self.front = self._dressed(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def _dressed(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Set what is the same for all contexts: a connection takes some of it from its front, some from the other."""
        settings = self._settings
        context.minimum_version = _VERSIONS[settings.min_version]
        context.set_ciphers(settings.ciphers)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(self._protocols)
        context.sni_callback = self._choose
        if self.verifies:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
            if self._bundle.client_authorities:
                context.load_verify_locations(cadata=self._bundle.client_authorities)
            context.verify_mode = _VERIFY[settings.client_certificates]
        return context

    def _choose(self, tls: ssl.SSLObject, host: str | None, front: ssl.SSLContext) -> int | None:
        """Move a connection on to the certificate for the host that the client names; called by OpenSSL."""
        certificate = self._names.find(host)
        if certificate is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        try:
            tls.context = self._context(self._pairs[certificate.name])
        except OSError as error:
            log.error("certificate cannot be used", extra={"certificate": certificate.name, "reason": error})
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        return None

    def _context(self, pair: Pair) -> ssl.SSLContext:
        contexts = self._contexts
        context = contexts.get(pair.digest)
        if context is None:
            context = self._dressed(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            _load_pair(context, pair.pem)
            contexts[pair.digest] = context
            if len(contexts) > _MOST_CONTEXTS:
                contexts.popitem(last=False)
        else:
            contexts.move_to_end(pair.digest)
        return context


def _load_pair(context: ssl.SSLContext, pem: bytes) -> None:
    """Load certificate and key from memory; Python's ssl knows files only. Raises OSError (ssl.SSLError included)."""
    fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(fd, pem)
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
