"""Forms in sections, so that a long one is read in parts. A section has a title and rows of fields side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Section:
    """`names` are fields; a tuple among them stands side by side. A folded one opens on demand."""

    title: str | Promise
    names: tuple[str | tuple[str, ...], ...]
    lead: str | Promise = ""
    folded: bool = False


@dataclass(slots=True)
class Drawn:
    title: str | Promise
    lead: str | Promise
    rows: list[list[BoundField]]
    folded: bool = False


class SectionedForm(forms.Form):
    """Fields named in `sections` are drawn there, the rest first."""

    sections: ClassVar[tuple[Section, ...]] = ()

    def layout(self) -> tuple[Section, ...]:
        """The sections; a form whose fields depend on the company makes them here."""
        return self.sections

    def drawn(self) -> Iterator[Drawn]:
        layout = self.layout()
        placed = {
            name
            for section in layout
            for entry in section.names
            for name in (entry if isinstance(entry, tuple) else (entry,))
        }
        rest = [[self[name]] for name in self.fields if name not in placed and not self[name].is_hidden]
        if rest:
            yield Drawn("", "", rest)
        for section in layout:
            rows = []
            for entry in section.names:
                names = entry if isinstance(entry, tuple) else (entry,)
                row = [self[name] for name in names if name in self.fields]
                if row:
                    rows.append(row)
            if rows:
                at_fault = any(field.errors for row in rows for field in row)
                yield Drawn(section.title, section.lead, rows, section.folded and not at_fault)

    def changes(self, *names: str) -> dict[str, Any]:
        """The cleaned values of these fields, for a verb that takes changes."""
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}
