"""Keeps the vault true to the folder: reads what has changed, checks it, and publishes what is good.

A pair that has become bad stays as it was, and harms no other. It is complained about when it is still bad at the
second look: a certificate and its key are rarely written at the same moment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from gproxy.certificates import folder
from gproxy.certificates.folder import Files
from gproxy.certificates.pair import BadPair, check_pair, read_certificates
from gproxy.core.bundle import Bundle, Pair, Problem

if TYPE_CHECKING:
    from gproxy.core.server_names import Certificate
    from gproxy.settings import TlsSection
    from gproxy.shared.vault import Vault

log = logging.getLogger(__name__)

#: How long before its end a certificate that nobody has renewed is worth a warning.
SOON_S: Final = 7 * 86400
#: The names under which the file of the clients' authorities, and the folder itself, are complained about: their keys.
AUTHORITIES: Final = "client_ca_file"
FOLDER: Final = "certificates"


class Age(IntEnum):
    """Where a certificate is in its life."""

    UNBORN = 0
    GOOD = 1
    ENDS_SOON = 2
    EXPIRED = 3


def age_of(certificate: Certificate, now_s: float) -> Age:
    """Return where a certificate is in its life at that time (seconds since 1970)."""
    if now_s < certificate.not_before_s:
        return Age.UNBORN
    if now_s >= certificate.not_after_s:
        return Age.EXPIRED
    return Age.ENDS_SOON if now_s >= certificate.not_after_s - SOON_S else Age.GOOD


class Keeper:
    """Follows the folder of `settings` from the state that `vault` is in."""

    def __init__(self, settings: TlsSection, vault: Vault, now_s: float) -> None:
        self._settings = settings
        self._vault = vault
        self.bundle = Bundle.unpack(vault.read()[1])
        self._said = {(problem.name, problem.stamp) for problem in self.bundle.problems}
        self._ages = self._ages_at(now_s)

    def look(self, now_s: float) -> bool:
        """Publish what has changed for the better; return whether something was. `now_s`: seconds since 1970."""
        before = self.bundle
        pairs, problems = self._pairs()
        authorities = before.client_authorities
        if self._settings.client_ca_file is not None:
            authorities = self._authorities(problems)
        found = Bundle(tuple(pairs.values()), tuple(problems.values()), authorities)
        if found != before:
            self._vault.publish(found.pack())
            self.bundle = found
            self._tell_changes(before)
        self._tell_problems(before)
        self._tell_ages(now_s)
        return found is self.bundle

    def _pairs(self) -> tuple[dict[str, Pair], dict[str, Problem]]:
        """Return the pairs to be used and what is wrong, by name."""
        known = {pair.certificate.name: pair for pair in self.bundle.pairs}
        troubles = {problem.name: problem for problem in self.bundle.problems}
        try:
            files = list(folder.look(self._settings.certificates))
        except OSError as error:
            reason = f"{self._settings.certificates}: {error.strerror}"
            return known, {FOLDER: Problem(FOLDER, reason, str(error.errno))}
        pairs: dict[str, Pair] = {}
        problems: dict[str, Problem] = {}
        for each in files:
            pair, trouble = known.get(each.name), troubles.get(each.name)
            if trouble is None or trouble.stamp != each.stamp:
                trouble = None
                if pair is None or pair.stamp != each.stamp:
                    pair, trouble = _read(each, pair)
            if pair is not None:
                pairs[each.name] = pair
            if trouble is not None:
                problems[each.name] = trouble
        return pairs, problems

    def _authorities(self, problems: dict[str, Problem]) -> str:
        """Return the PEM text of the clients' authorities: the file's if it is good, else the one before."""
        file, before = self._settings.client_ca_file, self.bundle.client_authorities
        assert file is not None
        stamp = folder.stamp(file)
        try:
            text = file.read_bytes()
            read_certificates(text)
            return text.decode("ascii")
        except OSError as error:
            problems[AUTHORITIES] = Problem(AUTHORITIES, f"{file}: {error.strerror}", stamp)
        except (BadPair, UnicodeDecodeError) as error:
            problems[AUTHORITIES] = Problem(AUTHORITIES, f"{file}: {error}", stamp)
        return before

    # -- what people are told ----------------------------------------------------------------------------------

    def _tell_changes(self, before: Bundle) -> None:
        old, new = _digests(before), _digests(self.bundle)
        counts = {
            "new": len(new.keys() - old.keys()),
            "changed": sum(new[name] != old[name] for name in new.keys() & old.keys()),
            "gone": len(old.keys() - new.keys()),
        }
        if any(counts.values()) or before.client_authorities != self.bundle.client_authorities:
            log.info("certificates read", extra={"certificates": len(new), **counts})

    def _tell_problems(self, before: Bundle) -> None:
        """Complain once about each problem that was there at the last look already."""
        lasting = {(problem.name, problem.stamp) for problem in before.problems}
        for problem in self.bundle.problems:
            mark = problem.name, problem.stamp
            if mark in lasting and mark not in self._said:
                self._say(problem)
        self._said &= {(problem.name, problem.stamp) for problem in self.bundle.problems}

    def tell_all(self) -> None:
        """Complain at once about every problem."""
        for problem in self.bundle.problems:
            self._say(problem)

    def _say(self, problem: Problem) -> None:
        self._said.add((problem.name, problem.stamp))
        if problem.name in _digests(self.bundle) or problem.name in (FOLDER, AUTHORITIES):
            note = {"instead": "what was good before stays"}
        else:
            note = {}
        log.error("certificate cannot be used", extra={"certificate": problem.name, "reason": problem.reason, **note})

    def _tell_ages(self, now_s: float) -> None:
        """Say once when a certificate is about to end, and when it has."""
        ages = self._ages_at(now_s)
        for pair in self.bundle.pairs:
            name, age = pair.certificate.name, ages[pair.certificate.name]
            if age == self._ages.get(name, Age.GOOD):
                continue
            about = {"certificate": name, "hosts": ",".join(pair.certificate.hosts)}
            days = round(abs(pair.certificate.not_after_s - now_s) / 86400, 1)
            if age is Age.EXPIRED:
                log.error("certificate has expired, clients will refuse it", extra={**about, "days_ago": days})
            elif age is Age.ENDS_SOON:
                log.warning("certificate expires soon", extra={**about, "in_days": days})
            elif age is Age.UNBORN:
                log.error("certificate is not valid yet, clients will refuse it", extra=about)
        self._ages = ages

    def _ages_at(self, now_s: float) -> Mapping[str, Age]:
        return {pair.certificate.name: age_of(pair.certificate, now_s) for pair in self.bundle.pairs}


def _read(files: Files, before: Pair | None) -> tuple[Pair | None, Problem | None]:
    """Return the pair that the files make; if they make none, the one before and why."""
    try:
        return check_pair(files.name, *files.read(), files.stamp), None
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
    except BadPair as error:
        reason = str(error)
    return before, Problem(files.name, reason, files.stamp)


def _digests(bundle: Bundle) -> dict[str, str]:
    return {pair.certificate.name: pair.digest for pair in bundle.pairs}
