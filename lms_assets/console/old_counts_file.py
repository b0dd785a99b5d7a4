"""Old counts out of a CSV file, as a database client or a spreadsheet writes it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from lms_assets.domain.comparison import OldCounts, OldData
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.counts import CATEGORY_COLUMNS

NEEDED = ("account_name", "total_npcu")
DELIMITERS = ",;\t"


def read_old_counts_file(path: Path) -> OldData:
    """The counts in a file with a line of column names: those of `partners`, in any order.

    `account_name` and `total_npcu` must be there; `impartner_id`, `salesforce_id` and `cert_count_*` are used, others
    are passed over. Comma, semicolon or tab; UTF-8.

    Raises:
        ConfigurationError: it cannot be read, a column is missing, or a count is no whole number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path} cannot be read as UTF-8 text: {error}"]) from None
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    if missing := [name for name in NEEDED if name not in columns]:
        raise ConfigurationError([f"{path} has no column {', '.join(missing)} in its first line"])
    found = {category: name for category, name in CATEGORY_COLUMNS.items() if name in columns}
    accounts = []
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        by_category = {category: _whole(row, name, where) or 0 for category, name in found.items()}
        accounts.append(
            OldCounts(
                (row["account_name"] or "").strip(),
                _whole(row, "total_npcu", where) or 0,
                by_category,
                impartner_id=_whole(row, "impartner_id", where),
                salesforce_id=(row.get("salesforce_id") or "").strip() or None,
            )
        )
    return OldData(tuple(accounts), tuple(found))


def _whole(row: Mapping[str, str | None], name: str, where: str) -> int | None:
    text = (row.get(name) or "").strip()
    if not text or text in {"NULL", "\\N"}:
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError([f"{where}: {name} is no whole number"]) from None
