"""A form: the fields of a kind, what was typed or stored, and what is wrong, each beside its field."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from gadmin.forms import flat
from gadmin.forms.spec import Field, Widget, spec
from gproxy.core.problem import Problem
from gproxy.core.schema import PLURALS


@dataclass(frozen=True, slots=True)
class Form:
    """A form of one kind. `texts` are its inputs by name, `problems` sentences by input; `""` has those of no input.

    `stored` is the name of the object that is edited, "" for a new one.
    """

    kind: str
    texts: Mapping[str, str]
    problems: Mapping[str, Sequence[str]]
    stored: str = ""

    @classmethod
    def of(cls, kind: str, document: Mapping[str, Any], stored: str = "") -> Self:
        """Return the form that shows a document."""
        return cls(kind, flat.flattened(spec(kind), document), {}, stored)

    @classmethod
    def posted(cls, kind: str, texts: Mapping[str, str], stored: str = "") -> Self:
        """Return the form as somebody filled it in."""
        return cls(kind, dict(texts), {}, stored)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, in the order of the model."""
        return spec(self.kind)

    def document(self) -> dict[str, Any]:
        """Return what the form describes; it still has to be checked."""
        return flat.document(self.fields, self.texts)

    def with_problems(self, name: str, problems: Iterable[Problem]) -> Self:
        """Return the form with what the check of its document, stored as `name`, has found."""
        found: dict[str, list[str]] = {}
        root = f"{PLURALS[self.kind]}[{name}]"
        for problem in problems:
            if not problem.path.startswith(root + "."):
                elsewhere = "" if problem.path == root else f"{problem.path}: "
                found.setdefault("", []).append(f"{elsewhere}{problem.message}")
                continue
            path = problem.path.removeprefix(root + ".")
            at, below = self.place(path)
            found.setdefault(at, []).append(f"{self._entry(at, below)}{problem.message}")
        return replace(self, problems=found)

    def place(self, path: str) -> tuple[str, str]:
        """Return the input that a path of a problem belongs to ("": none), and what of the path is within it."""
        fields, name, rest = self.fields, "", path
        while rest and fields:
            word = re.split(r"[.\[]", rest, maxsplit=1)[0]
            field = next((field for field in fields if field.name == word), None)
            if field is None:
                break
            name, rest = f"{name}.{word}" if name else word, rest[len(word) :]
            number = re.match(r"\[(\d+)\]", rest)
            if field.widget is Widget.PARTS and number:
                name, rest = f"{name}[{self._row(name, int(number[1]))}]", rest[number.end() :]
            rest, fields = rest.removeprefix("."), field.part
        return name, rest

    def _row(self, name: str, index: int) -> int:
        """Return the number that the row at a place of a list has in this form: rows may have been taken out."""
        numbers = flat.rows(self.texts, name)
        return numbers[index] if index < len(numbers) else index

    def _entry(self, name: str, below: str) -> str:
        """Return what begins the sentence about a part of an input: an entry of a list is named by its text."""
        found = re.fullmatch(r"\[(\d+)\]", below)
        lines = [line.strip() for line in self.texts.get(name, "").splitlines() if line.strip()]
        shown = f'"{lines[int(found[1])]}"' if found and int(found[1]) < len(lines) else below
        return f"{shown}: " if shown else ""

    def changed_rows(self, add: str, remove: str) -> Self:
        """Return the form with a row more at the list `add`, or without the row `remove` (`nodes[1]`)."""
        texts = dict(self.texts)
        if add:
            numbers = flat.rows(texts, add)
            texts[f"{add}[{numbers[-1] + 1 if numbers else 0}]"] = flat.ON
        if remove:
            texts = {name: text for name, text in texts.items() if not _within(name, remove)}
        return replace(self, texts=texts, problems={})

    def text(self, field: Field, name: str, is_fresh: bool) -> str:
        """Return what an input shows: what was typed or stored; in a part that is fresh, the default."""
        if name in self.texts or not is_fresh:
            return self.texts.get(name, "")
        return flat.flattened([field], {}, name.removesuffix(field.name)).get(name, "")

    def is_fresh(self, name: str) -> bool:
        """Tell whether nothing was typed yet into a row of a list."""
        return not any(key.startswith(name + ".") for key in self.texts)

    def is_needed(self, field: Field, name: str) -> bool:
        """Tell whether an input must not be left empty; the name of a server may, it is its address then."""
        return field.is_required and not (self.kind == "server" and name == "name")

    def rows(self, name: str) -> list[int]:
        """Return the numbers of the rows of a list, for templates."""
        return flat.rows(self.texts, name)

    def is_set(self, field: Field, name: str) -> bool:
        """Tell whether a part says anything but defaults, so that it is shown open."""
        shown = flat.flattened([field], {}, name.removesuffix(field.name))
        return any(self.texts.get(key, "") != shown.get(key, "") for key in {*self.texts, *shown} if _within(key, name))

    def has_problems(self, name: str) -> bool:
        """Tell whether something at this input, or within it, is wrong."""
        return any(_within(key, name) for key in self.problems)


def _within(key: str, name: str) -> bool:
    return key == name or key.startswith((name + ".", name + "["))
