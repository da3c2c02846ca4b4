"""INI files as tables: `Key` says for each key its parser, its default (as INI text) and its meaning.

A file is parsed whole and every problem reported at once. A parser raises ValueError with the rest of the sentence
"[section] key = value: ...".
"""

import configparser
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Section -> what is built of its parsed keys.
Sections = Mapping[str, Callable[..., Any]]


class SettingsError(Exception):
    """The settings cannot be used. `problems` has one line per problem, with section, key and value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Key:
    """One INI key: `default` is INI text, `doc` one line for people."""

    section: str
    name: str
    parse: Callable[[str], object]
    default: str
    doc: str


def good(path: Path | None, default: Path) -> str:
    """Say that the settings are good, and which were looked at: `default` if it exists and no path is given."""
    if path is None and not default.exists():
        return f"the default settings are good (there is no {default})"
    return f"the settings in {path or default} are good"


def load(
    keys: Sequence[Key],
    sections: Sections,
    path: Path | None,
    overrides: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Read the INI file (None: only defaults), check every value of it, and return what is built of each section.

    `overrides` ({section: {key: text}}, from the command line) win over the file. Raises SettingsError with all
    problems.
    """
    texts, problems = _read(path) if path is not None else ({}, [])
    for section, given in (overrides or {}).items():
        texts.setdefault(section, {}).update(given)
    problems += _unknown(texts, keys, sections)
    parsed: dict[str, dict[str, object]] = {section: {} for section in sections}
    for key in keys:
        text = texts.get(key.section, {}).get(key.name, key.default).strip()
        try:
            parsed[key.section][key.name] = key.parse(text)
        except ValueError as error:
            problems.append(f"[{key.section}] {key.name} = {text}: {error}")
    if problems:
        raise SettingsError(problems)
    return {section: build(**parsed[section]) for section, build in sections.items()}


def _read(path: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the texts by section and key, and what is wrong with the file as a file."""
    parser = configparser.ConfigParser(
        interpolation=None,
        inline_comment_prefixes=("#", ";"),
        default_section="",
        empty_lines_in_values=False,
    )
    problems: list[str] = []
    try:
        parser.read_string(path.read_text("utf-8"), str(path))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.append(f"{path}: is not UTF-8 text: byte {error.start}")
    except configparser.DuplicateOptionError as error:
        problems.append(f"{path} line {error.lineno}: [{error.section}] {error.option} is given twice")
    except configparser.DuplicateSectionError as error:
        problems.append(f"{path} line {error.lineno}: [{error.section}] is given twice")
    except configparser.MissingSectionHeaderError as error:
        problems.append(f"{path} line {error.lineno}: there is no [section] above this line")
    except configparser.ParsingError as error:
        problems.extend(f"{path} line {line}: is not key = value: {text}" for line, text in error.errors)
    if problems:  # what was read up to there is half a file
        return {}, problems
    return {section: dict(parser[section]) for section in parser.sections()}, []


def _unknown(texts: Mapping[str, Mapping[str, str]], keys: Sequence[Key], sections: Sections) -> list[str]:
    """Name every section and key that does not exist, with what may have been meant."""
    problems = []
    for section, given in texts.items():
        if section not in sections:
            problems.append(f"[{section}]: unknown section{_meant(section, sections, '[{}]')}")
            continue
        known = [key.name for key in keys if key.section == section]
        for name, text in given.items():
            if name not in known:
                elsewhere = [f"[{key.section}] {key.name}" for key in keys if key.name == name]
                hint = _meant(name, known, "{}") or (f"; it belongs in {elsewhere[0]}" if elsewhere else "")
                problems.append(f"[{section}] {name} = {text}: unknown key{hint}")
    return problems


def _meant(word: str, known: Mapping[str, object] | list[str], form: str) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {form.format(close[0])}?" if close else ""
