"""What `gproxy -t` looks at beyond the settings' own form, leaving everything as it is."""

import os
import time
from pathlib import Path

from gproxy.core.bundle import Problem
from gproxy.entrances import entrances
from gproxy.master.listen import probe
from gproxy.master.pidfile import is_held
from gproxy.settings import FiltersSection, Settings
from gproxy.shared.vault import Vault


def problems_here(settings: Settings) -> list[str]:
    """Return what would keep these settings from running on this machine as this user, one line each.

    An address in use counts only when no gproxy runs in the run_dir: otherwise that one holds it, and would
    keep it through a reload.
    """
    run_dir = settings.gproxy.run_dir
    found = []
    if reason := _unwritable(run_dir):
        found.append(f"[gproxy] run_dir = {run_dir}: {reason}")
    for name in ("file", "access"):
        target = getattr(settings.log, name)
        if target not in ("-", "off") and (reason := _unwritable(Path(target).parent)):
            found.append(f"[log] {name} = {target}: {reason}")
    for name in ("password_file", "ca_file", "cert_file", "key_file"):
        file = getattr(settings.store, name)
        if file is not None and not os.access(file, os.R_OK):
            found.append(f"[store] {name} = {file}: cannot be read")
    found += _unloadable(settings.filters)
    is_running = is_held(run_dir)
    binds = [(entrance.key, entrance.bind) for entrance in entrances(settings)]
    for key, bind in [*binds, ("[control] bind", settings.control.bind)]:
        refusal = probe(bind)
        if refusal and not (is_running and refusal.is_in_use):
            found.append(f"{key} = {refusal}")
    return found + (_bad_certificates(settings) if settings.tls.bind else [])


def _bad_certificates(settings: Settings) -> list[str]:
    from gproxy.certificates.keeper import Keeper

    vault = Vault.create()
    keeper = Keeper(settings.tls, vault, time.time())
    keeper.look(time.time())
    vault.close()
    where = f"[tls] certificates = {settings.tls.certificates}"
    found = [_bad_certificate(settings, problem) for problem in keeper.bundle.problems]
    wanted = "NAME.crt or NAME.pem with NAME.key, or NAME/fullchain.pem with privkey.pem"
    return found or ([] if keeper.bundle.pairs else [f"{where}: there is no certificate in this folder ({wanted})"])


def _bad_certificate(settings: Settings, problem: Problem) -> str:
    """Return the line of a problem: of the folder, of the clients' authorities, or of a pair."""
    from gproxy.certificates.keeper import AUTHORITIES, FOLDER

    if problem.name == AUTHORITIES:
        return f"[tls] {AUTHORITIES} = {problem.reason}"
    if problem.name == FOLDER:
        return f"[tls] {FOLDER} = {problem.reason}"
    return f"[tls] {FOLDER} = {settings.tls.certificates}: {problem.name}: {problem.reason}"


def _unloadable(section: FiltersSection) -> list[str]:
    """Return why filters cannot be loaded. Their modules are imported here, which only a check may do."""
    from gproxy.filters.extra import FilterError, find

    problems = []
    for name in section.extra:
        try:
            find(name, section.path)
        except FilterError as error:
            problems.append(f"[filters] extra = {name}: {error}")
    return problems


def _unwritable(folder: Path) -> str | None:
    """Return why nothing can be written into a folder, or its nearest parent that exists, None if it can."""
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    return None if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} cannot be written to"
