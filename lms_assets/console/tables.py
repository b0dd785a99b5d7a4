"""Tables that people can take away: the one way in which commands print rows, as text, as JSON or into a file.

And the way back: a table that somebody gives as a file.

A command makes `Table`s of plain rows, hands them to `deliver`, and prints its text only where that returns False.
A pandas frame is `Table(name, columns, frame.to_dict("records"))`. pandas is imported when a file is written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile

import typer

from lms_assets.domain.wording import number_of, visible
from lms_assets.settings import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderableType

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write a file: .csv, .xlsx, .json, .parquet (where pyarrow is there).")
]

WIDTH = 80
_GAP = 2
_LEAST_TEXT = 12
"""A text column narrower than this is unreadable: the rows are then printed one under the other."""
_EMPTY = frozenset({"NULL", "\\N"})
"""How databases write an empty value into an export."""
_DELIMITERS = ",;\t"
_MOST_WORD, _MOST_OF_FIRST = 16, 28
"""A longer word is broken; in the first column, which says of what the row is, a still longer one."""
_LMS_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Never broken, so that it can be copied."""
_LINK = re.compile(r"https?://[^\s;]+")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Table:
    """Rows of one kind; `name` is the key in JSON and the sheet in Excel, `columns` the keys of the rows in order.

    `titles` are the headings on the terminal, where they differ from the column's name.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """Where a command's tables go; neither is the terminal.

    Raises:
        ConfigurationError: the file's ending is none of those that can be written, or its folder does not exist.
    """

    as_json: bool = False
    out: Path | None = None

    def __post_init__(self) -> None:
        if self.out is None:
            return
        if self.out.suffix.lower() == ".parquet" and not find_spec("pyarrow"):
            raise ConfigurationError(
                [f"--out {self.out}: .parquet needs pyarrow, which is not here: pip install pyarrow"]
            )
        if self.out.suffix.lower() not in (known := _endings()):
            raise ConfigurationError([f"--out {self.out}: the file must end in {', '.join(known)}"])
        if not self.out.absolute().parent.is_dir():
            raise ConfigurationError([f"--out {self.out}: the folder {self.out.absolute().parent} does not exist"])


def deliver(
    tables: Sequence[Table], output: Output, console: Console, *, facts: Mapping[str, object] | None = None
) -> bool:
    """Write the tables as asked; False when nothing was asked for and the command prints its text.

    JSON holds the facts and every table, Excel a sheet for each table; CSV and Parquet hold the first table only.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if output.out is not None:
        try:
            _write(output.out, tables, facts or {})
        except OSError as error:
            raise ConfigurationError([f"--out {output.out} cannot be written: {error.strerror or error}"]) from None
        if not output.as_json:
            rows = number_of(len(tables[0].rows), "row")
            console.print(f"{rows} written to {output.out}", highlight=False, markup=False, soft_wrap=True)
    if output.as_json:
        typer.echo(_json(tables, facts or {}).encode())
    return output.as_json or output.out is not None


@dataclass(frozen=True)
class _Fitted:
    """A table that takes the form for the terminal on which it is printed."""

    table: Table
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        links: dict[str, str] = {}
        yield _in_width(self.table, min(self.width, options.max_width), links)
        for link, name in links.items():
            yield Text(f"{name}: {link}", no_wrap=True, overflow="ignore")


def terminal(table: Table, width: int = WIDTH) -> RenderableType:
    """The table for a terminal, at most `width` columns wide: texts are folded, numbers are never cut.

    A column that is empty in every row is left out. Where the columns do not fit side by side, each row is a block of
    lines instead. Links stand below, each whole on a line of its own so that it can be copied; cells name them.
    """
    return _Fitted(table, width)


def _in_width(table: Table, width: int, links: dict[str, str]) -> RenderableType:
    """The table without its links, which are put into `links` with the name that a cell shows instead."""
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = [name for name in table.columns if any(_shown(row.get(name)) for row in table.rows)] or table.columns
    titles = [table.titles.get(name, name.replace("_", " ")) for name in columns]

    def named(link: re.Match[str]) -> str:
        return links.setdefault(link[0], f"link {len(links) + 1}")

    cells = [[_LINK.sub(named, _shown(row.get(name))) for name in columns] for row in table.rows]
    numeric = [all(_is_number(row.get(name)) for row in table.rows) for name in columns]
    widths = [
        max([Text(title).cell_len, *(Text(row[at]).cell_len for row in cells)]) for at, title in enumerate(titles)
    ]
    lowest = [
        size if number else min(size, _longest_word([title, *(row[at] for row in cells)], first=at == 0))
        for at, (title, number, size) in enumerate(zip(titles, numeric, widths, strict=True))
    ]
    if sum(lowest) + _GAP * (len(titles) - 1) > width:
        return Group(*_blocks(titles, cells))
    made = RichTable(box=None, padding=(0, _GAP, 0, 0), header_style="bold", pad_edge=False, width=None)
    for title, number, size in zip(titles, numeric, lowest, strict=True):
        if number:
            made.add_column(title, justify="right", no_wrap=True, min_width=size)
        else:
            made.add_column(title, overflow="fold", min_width=size)
    for row in cells:
        made.add_row(*map(Text, row))
    return made


def plain(value: object) -> Cell:
    """A value as files and JSON hold it: times as ISO text in UTC, what pandas calls missing as None.

    Raises:
        TypeError: a value of another kind.
    """
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value != value:  # NaN and NaT are the values that differ from themselves.
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [str(each) for each in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    raise TypeError(f"a table's cell cannot hold {type(value).__name__}")


def _longest_word(texts: Iterable[str], *, first: bool) -> int:
    """How wide the longest word of some texts is, within the bounds of a column that folds."""
    most = _MOST_OF_FIRST if first else _MOST_WORD
    words = {word for text in texts for word in text.split()}
    return max([_LEAST_TEXT, *(len(each) if _LMS_ID.search(each) else min(len(each), most) for each in words)])


def _blocks(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[RenderableType]:
    from rich.table import Table as RichTable
    from rich.text import Text

    for at, row in enumerate(cells):
        block = RichTable.grid(padding=(0, _GAP, 0, 0))
        block.add_column(no_wrap=True, style="dim")
        block.add_column(overflow="fold")
        for title, text in zip(titles, row, strict=True):
            block.add_row(title, Text(text))
        if at:
            yield Text()
        yield block


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _shown(value: object) -> str:
    cell = plain(value)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float) and float(cell).is_integer():
        return f"{int(cell):,}"
    if isinstance(value, datetime):
        return f"{str(cell)[:16].replace('T', ' ')} UTC"
    return visible("; ".join(cell) if isinstance(cell, list) else cell)


def _plain_rows(table: Table) -> list[dict[str, Cell]]:
    return [{name: plain(row.get(name)) for name in table.columns} for row in table.rows]


def _json(tables: Sequence[Table], facts: Mapping[str, object]) -> str:
    """One object: each fact under its name, each table as a list of objects."""
    told = {name: plain(value) for name, value in facts.items()}
    return json.dumps({**told, **{each.name: _plain_rows(each) for each in tables}}, ensure_ascii=False, indent=2)


def _endings() -> tuple[str, ...]:
    return (".csv", ".xlsx", ".json", *((".parquet",) if find_spec("pyarrow") else ()))


def _write(path: Path, tables: Sequence[Table], facts: Mapping[str, object]) -> None:
    """Write beside the file and rename, so that a reader never finds half of it."""
    ending = path.suffix.lower()
    beside = path.with_name(f".{path.stem}.{os.getpid()}{ending}")
    try:
        if ending == ".json":
            beside.write_text(_json(tables, facts) + "\n", encoding="utf-8")
        elif ending == ".csv":
            _frame(tables[0], safe=True).to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")
        elif ending == ".xlsx":
            _write_excel(beside, tables)
        else:
            _typed_frame(tables[0]).to_parquet(beside, index=False)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _frame(table: Table, *, safe: bool = False) -> pd.DataFrame:
    """The rows as objects, so that a whole number beside an empty cell stays whole.

    `safe`: a text that a spreadsheet would run as a formula gets an apostrophe in front, which it does not show.
    """
    import pandas as pd

    def cell(value: Cell) -> Cell:
        text = "; ".join(value) if isinstance(value, list) else value
        return f"'{text}" if safe and isinstance(text, str) and text.startswith(_FORMULA_STARTS) else text

    rows = [[cell(value) for value in row.values()] for row in _plain_rows(table)]
    return pd.DataFrame(rows, columns=list(table.columns), dtype=object)


def _typed_frame(table: Table) -> pd.DataFrame:
    """The rows with one type for each column, as Parquet wants it: text where there are numbers and texts."""
    from pandas.api.types import is_object_dtype

    frame = _frame(table).convert_dtypes()
    return frame.astype({name: "string" for name, each in frame.dtypes.items() if is_object_dtype(each)})


def _write_excel(path: Path, tables: Sequence[Table]) -> None:
    """A sheet for each table, the headings fixed; what begins like a formula is a cell of text."""
    import pandas as pd

    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for table in tables:
            frame = _frame(table).map(lambda value: visible(value) if isinstance(value, str) else value)
            frame.to_excel(writer, sheet_name=table.name[:31], index=False, freeze_panes=(1, 0))
            for row in writer.sheets[table.name[:31]].iter_rows(min_row=2):
                for each in row:
                    if isinstance(each.value, str):
                        each.data_type = "s"
                        each.quotePrefix = each.value.startswith(_FORMULA_STARTS)


@dataclass(frozen=True)
class ReadTable:
    """A file's rows as text, each with the line in which it begins; an empty cell, `NULL` and `\\N` are ""."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[int, Mapping[str, str]]]


def read_table(path: Path) -> ReadTable:
    """The table in a CSV file (comma, semicolon or tab; UTF-8) or on the first sheet of an Excel file (.xlsx).

    Its first line has the names of the columns.

    Raises:
        ConfigurationError: it cannot be read.
    """
    import pandas as pd

    everything: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": []}
    try:
        if path.suffix.lower() == ".xlsx":
            frame = pd.read_excel(path, engine="openpyxl", **everything)
        else:
            first = path.read_text(encoding="utf-8-sig").partition("\n")[0]
            delimiter = max(_DELIMITERS, key=first.count)
            with catch_warnings():
                # A row with more cells than columns is only warned of, and the last cells are left out.
                simplefilter("error", pd.errors.ParserWarning)
                frame = pd.read_csv(
                    path, sep=delimiter, encoding="utf-8-sig", skip_blank_lines=False, index_col=False, **everything
                )
    except (OSError, ValueError, BadZipFile, KeyError, pd.errors.ParserWarning) as error:
        what = "an Excel file" if path.suffix.lower() == ".xlsx" else "UTF-8 text with columns"
        raise ConfigurationError([f"{path} cannot be read as {what}: {str(error).strip()}"]) from None
    columns = tuple(str(name).strip() for name in frame.columns)
    rows, line = [], 2 + sum(name.count("\n") for name in columns)
    for values in frame.fillna("").itertuples(index=False, name=None):
        texts = [str(value).strip() for value in values]
        if any(texts):
            rows.append((line, {n: "" if t in _EMPTY else t for n, t in zip(columns, texts, strict=True)}))
        line += 1 + sum(str(value).count("\n") for value in values)
    return ReadTable(columns, rows)


def field_words(name: object) -> str | None:
    """A CRM field's name as words, which can be broken at the end of a line."""
    return str(name).removesuffix("__cf").replace("_", " ") if name else None


def for_people(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Table:
    """The rows with partner and name in one column, without the account's id."""
    shown = [
        {**row, "partner": f"#{row['partner']} {row['name']}", "field": field_words(row.get("field"))} for row in rows
    ]
    return Table(name, [each for each in columns if each not in {"name", "account"}], shown)
