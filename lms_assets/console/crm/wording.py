"""How rows about the CRM are shown to people: fewer and shorter columns than programs get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lms_assets.console.tables import Table


def field_words(name: object) -> str | None:
    """A CRM field's name as words, which can be broken at the end of a line."""
    return str(name).removesuffix("__cf").replace("_", " ") if name else None


def for_people(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Table:
    """The rows with partner and name in one column, without the account's id."""
    shown = [
        {**row, "partner": f"#{row['partner']} {row['name']}", "field": field_words(row.get("field"))} for row in rows
    ]
    return Table(name, [each for each in columns if each not in {"name", "account"}], shown)
