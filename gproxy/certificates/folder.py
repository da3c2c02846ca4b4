"""What lies in the folder of certificates: which files make a pair, and the state they are in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: names of certificate and key within a folder of their own: certbot's and those of a Kubernetes secret
_IN_FOLDER = (("fullchain.pem", "privkey.pem"), ("tls.crt", "tls.key"))
_ENDINGS = (".crt", ".pem")
_KEY = ".key"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of the pair `name`; a PEM file without a key file beside it holds both. `stamp` is their state."""

    name: str
    chain: Path
    key: Path
    stamp: str

    def read(self) -> tuple[bytes, bytes]:
        """Return the texts of certificate and key. Raises OSError."""
        chain = self.chain.read_bytes()
        return chain, chain if self.key == self.chain else self.key.read_bytes()


def look(folder: Path) -> Iterator[Files]:
    """Yield the files of each pair in the folder, by name. Raises OSError."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    present, seen = set(names), set()
    for name in names:
        stem, ending = os.path.splitext(name)
        if ending in _ENDINGS and stem not in seen:
            seen.add(stem)
            chain = folder / name
            key = folder / (stem + _KEY) if stem + _KEY in present else chain
            yield Files(stem, chain, key, stamp(chain, key))
        elif ending != _KEY and (folder / name).is_dir():
            for chain_name, key_name in _IN_FOLDER:
                chain, key = folder / name / chain_name, folder / name / key_name
                if chain.exists():
                    yield Files(name, chain, key, stamp(chain, key))
                    break


def stamp(*files: Path) -> str:
    """Return what changes when one of the files does; a file that is not there has a stamp too."""
    return " ".join(_stamp(file) for file in files)


def _stamp(file: Path) -> str:
    try:
        about = os.stat(file)
    except OSError as error:
        return f"-{error.errno}"
    return f"{about.st_ino}.{about.st_size}.{about.st_mtime_ns}.{about.st_ctime_ns}"
