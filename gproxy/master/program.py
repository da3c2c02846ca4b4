"""This program, to be started once more: the same command in the same folder, whatever lies there by then.

A script that was started by its own name is started by that name again: its first line says which Python it wants,
and that is the new one when a link that leads to it was turned, or an environment was made anew. The folder is the
one that the shell called by name, so a link in its path is followed anew as well.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, Self


@dataclass(frozen=True, slots=True)
class Program:
    """A command as `arguments` (the first is the file to run), and the folder in which it was given."""

    arguments: tuple[str, ...]
    folder: str

    @classmethod
    def of_this_process(cls) -> Self:
        """Return how this process was started; to be called before anything changes its folder."""
        folder = os.getcwd()
        named = os.environ.get("PWD", "")
        if os.path.isabs(named) and os.path.isdir(named) and os.path.samefile(named, folder):
            folder = named
        script = sys.argv[0]
        if sys.orig_argv[1:2] == [script] and os.access(script, os.X_OK):
            return cls((os.path.join(folder, script), *sys.argv[1:]), folder)
        return cls((sys.executable, *sys.orig_argv[1:]), folder)

    def become(self, environment: Mapping[str, str]) -> NoReturn:
        """Turn this process into the program. Raises OSError."""
        os.chdir(self.folder)
        os.execve(self.arguments[0], self.arguments, dict(environment))
