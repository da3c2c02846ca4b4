"""Fuzz one target with atheris, a libFuzzer for Python: python -m tests.fuzz.one TARGET [libFuzzer's arguments].

https://github.com/google/atheris, https://llvm.org/docs/LibFuzzer.html
"""

import sys

import atheris

with atheris.instrument_imports(include=["gproxy"]):
    from tests.fuzz.targets import TARGETS


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer ends the process: 0, or another code when a law was broken."""
    program, name, *rest = arguments
    atheris.Setup([program, *rest], TARGETS[name].holds)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
