"""What a report says, before it is HTML or text: headings, tiles, notes, tables, charts, in their order.

Both parts of a mail are made from the same document, so that they say the same. Texts are plain: escaping is the
templates' business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["plain", "good", "bad", "warn", "muted"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: a text, a smaller one below it, where it links to, and how it is meant."""

    text: str
    below: str = ""
    link: str | None = None
    tone: Tone = "plain"
    below_tone: Tone = "muted"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; one with a single cell is a heading over the rows that follow it."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column; numbers stand at the right. `width` is in per cent of the table, 0 for what is left."""

    title: str
    numeric: bool = False
    width: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table of data. `more` says how many rows were left out for want of room; `caption` names it for listeners."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    more: int = 0
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Tile:
    """One big number with its name and a remark."""

    label: str
    value: str
    note: str = ""
    tone: Tone = "plain"
    note_tone: Tone = "muted"


@dataclass(frozen=True, slots=True)
class Tiles:
    """Big numbers side by side."""

    tiles: tuple[Tile, ...]
    kind: Literal["tiles"] = "tiles"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str
    tone: Tone = "plain"
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture under its title; `alt` says in words what it shows."""

    name: str
    title: str
    alt: str
    width: int
    height: int
    kind: Literal["chart"] = "chart"


Block = Table | Tiles | Paragraph | Chart


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it; level 2 or 3."""

    title: str
    blocks: tuple[Block, ...]
    level: Literal[2, 3] = 2
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    Attributes:
        title: the heading.
        subtitle: of which week and as of when.
        summary: one or two sentences; also what a mail program shows before the mail is opened.
        banner: what is wrong with the data, at the very top.
        footer: where numbers come from and how to ask about them.
    """

    title: str
    subtitle: str
    summary: str
    banner: str | None
    sections: tuple[Section, ...]
    footer: tuple[str, ...]

    def shortened(self, rows: int) -> Document:
        """The same with at most `rows` rows in each table, saying how many are missing."""
        sections = []
        for section in self.sections:
            blocks = tuple(_shortened(block, rows) if block.kind == "table" else block for block in section.blocks)
            sections.append(replace(section, blocks=blocks))
        return replace(self, sections=tuple(sections))


def _shortened(table: Table, rows: int) -> Table:
    kept: list[Row] = []
    data = 0
    for row in table.rows:
        if len(row.cells) > 1:
            if data == rows:
                break
            data += 1
        kept.append(row)
    while kept and len(kept[-1].cells) == 1:
        kept.pop()
    all_data = sum(len(row.cells) > 1 for row in table.rows)
    return replace(table, rows=tuple(kept), more=table.more + all_data - data)
