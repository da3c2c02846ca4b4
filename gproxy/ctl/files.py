"""Configuration as text: JSON, YAML and TOML, read strictly and written so that reading gives the same back."""

import json
import sys
import tomllib
from collections.abc import Callable, Hashable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, ClassVar, Final

import tomli_w
import yaml

#: "-" means standard input.
STDIN: Final = "-"
#: A configuration has six levels.
DEEPEST: Final = 100
#: Values that aliases may stand for, besides ten times as many as are written.
MOST_BY_ALIASES: Final = 100_000


class FileError(Exception):
    """The text cannot be read; one line with the file, and the place in it where known."""


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Plain YAML values only, moments as text, and no key twice: the second would silently win."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping. Raises yaml.constructor.ConstructorError."""
        seen = set()
        for key_node, _ in node.value:
            key = (key_node.tag, key_node.value) if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'"{key_node.value}" is given twice', key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


_Dumper: Final = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper


def _from_json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f'"{twice}" is given twice')
        return found

    return json.loads(text, object_pairs_hook=once)


def _from_yaml(text: str) -> Any:
    try:
        _check_size(text)
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in str(error.problem):
            raise ValueError("is nested too deeply") from None
        mark = error.problem_mark
        place = f"line {mark.line + 1} column {mark.column + 1}: " if mark else ""
        raise ValueError(place + (error.problem or error.context or "is not YAML")) from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _check_size(text: str) -> None:
    """Refuse what libyaml would follow by recursion in C until the process dies, and a few aliases that stand for
    millions of values.
    """
    sizes: dict[str | None, int] = {}  # of what has an anchor, with all that its aliases stand for
    around: list[tuple[str | None, int]] = [(None, 0)]  # the collections that are open, with their sizes so far
    written = 0
    for event in yaml.parse(text, _Loader):
        written += 1
        anchor, size = getattr(event, "anchor", None), 1
        if isinstance(event, yaml.CollectionStartEvent):
            around.append((anchor, 1))
            if len(around) > DEEPEST + 1:
                raise ValueError("is nested too deeply")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = around.pop()
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == name for name, _ in around):
                raise ValueError(f"*{anchor} stands within itself")
            size = sizes.get(anchor, 1)
        sizes[anchor] = size
        name, so_far = around[-1]
        around[-1] = name, so_far + size
        if so_far + size > MOST_BY_ALIASES + 10 * written:
            raise ValueError("has aliases that stand for too much")


def _from_toml(text: str) -> Any:
    return _with_text(tomllib.loads(text))


def _with_text(value: Any) -> Any:
    """Return a TOML value with its moments as text."""
    if isinstance(value, dict):
        return {key: _with_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value


def _to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _to_yaml(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _to_toml(value: Any) -> str:
    try:
        return tomli_w.dumps(value)
    except TypeError:
        raise FileError("TOML has no null: choose another format") from None


#: Format -> reading (raises ValueError) and writing.
FORMATS: Final[Mapping[str, tuple[Callable[[str], Any], Callable[[Any], str]]]] = {
    "json": (_from_json, _to_json),
    "yaml": (_from_yaml, _to_yaml),
    "toml": (_from_toml, _to_toml),
}
SUFFIXES: Final = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}


def read(name: str) -> Any:
    """Return the value in a file, or from standard input for "-" (any format). Raises FileError."""
    if name == STDIN:
        return _parsed("standard input", _text("standard input", sys.stdin.buffer.read()), sniffed)
    path = Path(name)
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise FileError(f"{name}: the name must end in one of {', '.join(SUFFIXES)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from None
    return _parsed(name, _text(name, data), FORMATS[form][0])


def sniffed(text: str) -> Any:
    """Return the value of a text in any format. Raises ValueError."""
    # JSON is YAML too, but YAML guesses more; hardly any YAML is TOML, so TOML first finds no wrong meaning.
    for form in ("json", "toml"):
        try:
            return FORMATS[form][0](text)
        except ValueError as error:
            if str(error).endswith("is given twice"):
                raise
    return _from_yaml(text)


def render(value: Mapping[str, Any], form: str) -> str:
    """Return the text of a value in one of FORMATS."""
    return FORMATS[form][1](value)


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{name}: is not UTF-8 text (byte {error.start + 1})") from None


def _parsed(name: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise FileError(f"{name}: {error}") from None
    except RecursionError:
        raise FileError(f"{name}: is nested too deeply") from None
