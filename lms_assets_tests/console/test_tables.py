"""Tables that people take away: what a terminal, a program and a spreadsheet get from the same rows."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import typer
from rich.console import Console

from lms_assets.cli import app
from lms_assets.console import tables
from lms_assets.console.tables import Output, Table, deliver, terminal
from lms_assets.settings import ConfigurationError

AT = datetime(2026, 11, 23, 4, 30, tzinfo=timezone(timedelta(hours=2)))
ROWS = [
    {"partner": 1, "name": "=HYPERLINK(1)", "npcu": 12, "seen": AT, "reasons": ("new", "few")},
    {"partner": 20, "name": "Beech [bold], Ltd", "npcu": None, "seen": None, "reasons": ()},
    {"partner": 300, "name": "-5", "npcu": -5, "seen": AT.astimezone(UTC), "reasons": ("@home",)},
]
TABLE = Table("partners", ("partner", "name", "npcu", "seen", "reasons"), ROWS)
QUIET = Console(file=io.StringIO())


def written(tmp_path: Path, ending: str, *more: Table) -> Path:
    path = tmp_path / f"table{ending}"
    assert deliver([TABLE, *more], Output(out=path), QUIET, facts={"as_of": AT})
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "nothing is left beside it"
    return path


def text_of(table: Table, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(terminal(table))
    return console.export_text().splitlines()


def test_nothing_asked_for_leaves_the_text_to_the_command(capsys: pytest.CaptureFixture[str]):
    assert not deliver([TABLE], Output(), QUIET)
    assert capsys.readouterr().out == ""


def test_json_is_all_of_stdout_and_holds_facts_and_tables(capsys: pytest.CaptureFixture[str]):
    assert deliver([TABLE, Table("tasks", ("task",), [])], Output(as_json=True), Console(), facts={"as_of": AT})
    found = json.loads(capsys.readouterr().out)
    assert found["as_of"] == "2026-11-23T02:30:00Z"
    assert found["tasks"] == []
    assert found["partners"][0] == {
        "partner": 1, "name": "=HYPERLINK(1)", "npcu": 12, "seen": "2026-11-23T02:30:00Z", "reasons": ["new", "few"],
    }  # fmt: skip
    assert found["partners"][1]["npcu"] is None


def test_a_csv_file_holds_no_formula_and_whole_numbers(tmp_path: Path):
    lines = written(tmp_path, ".csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "partner,name,npcu,seen,reasons",
        "1,'=HYPERLINK(1),12,2026-11-23T02:30:00Z,new; few",
        '20,"Beech [bold], Ltd",,,',
        "300,'-5,-5,2026-11-23T02:30:00Z,'@home",
    ]


def test_an_excel_file_holds_no_formula_and_a_sheet_for_each_table(tmp_path: Path):
    path = written(tmp_path, ".xlsx", Table("tasks", ("task",), [{"task": "a\x07b"}]))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["partners", "tasks"]
    first = book["partners"]["B2"]
    assert (first.value, first.data_type, first.quotePrefix) == ("=HYPERLINK(1)", "s", True)
    assert [book["partners"].cell(row, 3).value for row in (2, 3, 4)] == [12, None, -5]
    assert pd.read_excel(path, sheet_name="tasks")["task"].tolist() == ["a b"]


def test_a_json_file_is_what_json_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = written(tmp_path, ".json")
    deliver([TABLE], Output(as_json=True), QUIET, facts={"as_of": AT})
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(capsys.readouterr().out)


def test_another_ending_is_refused_with_those_that_can_be_written(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"must end in \.csv, \.xlsx, \.json"):
        Output(out=tmp_path / "table.doc")


MIXED = Table(
    "plan",
    ("field", "to_send", "npcu", "why", "again"),
    [
        {"field": "Total", "to_send": 12, "npcu": 12, "why": None, "again": True},
        {"field": "Group", "to_send": "Beech, Ltd", "npcu": None, "why": None, "again": False},
    ],
)


def test_a_column_of_numbers_and_texts_is_text_where_a_column_has_one_type():
    frame = tables._typed_frame(MIXED)
    assert frame["to_send"].tolist() == ["12", "Beech, Ltd"]
    assert frame["npcu"].tolist() == [12, pd.NA]
    assert frame["why"].isna().all()
    assert frame["again"].tolist() == [True, False]
    assert not [name for name in frame if frame[name].dtype == object]


def test_parquet_holds_the_rows_or_is_refused(tmp_path: Path):
    path = tmp_path / "plan.parquet"
    if find_spec("pyarrow") is None:
        with pytest.raises(ConfigurationError, match="pip install pyarrow"):
            Output(out=path)
        return
    for table in (MIXED, TABLE, replace(MIXED, rows=[])):
        assert deliver([table], Output(out=path), QUIET)
        found = pd.read_parquet(path)
        assert (tuple(found.columns), len(found)) == (tuple(table.columns), len(table.rows))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="pip install pyarrow"):
        Output(out=tmp_path / "table.parquet")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="nowhere does not exist"):
        Output(out=tmp_path / "nowhere" / "table.csv")


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        deliver([TABLE], Output(out=tmp_path / "table.csv"), QUIET)
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]


def test_a_frame_says_the_same_as_its_rows(capsys: pytest.CaptureFixture[str]):
    frame = pd.DataFrame({"npcu": [1.0, None], "seen": pd.to_datetime([AT, None], utc=True), "whole": [3, 4]})
    table = Table("frame", ("npcu", "seen", "whole"), frame.to_dict("records"))  # type: ignore[arg-type]
    deliver([table], Output(as_json=True), QUIET)
    assert json.loads(capsys.readouterr().out)["frame"] == [
        {"npcu": 1.0, "seen": "2026-11-23T02:30:00Z", "whole": 3},
        {"npcu": None, "seen": None, "whole": 4},
    ]


@pytest.mark.parametrize("width", [80, 60])
def test_a_terminal_table_fits_and_cuts_no_number_and_no_text(width: int):
    long = "Acorn Österreich Consulting and Implementation Services GmbH " * 2
    rows = [{"partner": 1234567890123, "name": long, "npcu": 1234567, "reasons": (long, "x" * 90)}]
    lines = text_of(Table("t", ("partner", "name", "npcu", "reasons"), rows), width)
    assert max(map(len, lines)) <= width
    together = "".join("".join(lines).split())
    assert "1,234,567,890,123" in together
    assert "1,234,567" in together
    assert together.count("x") == 90


def test_columns_that_do_not_fit_side_by_side_become_blocks():
    rows = [{f"number_{at}": 10**9 + at for at in range(9)} for _ in range(2)]
    lines = text_of(Table("t", tuple(rows[0]), rows))
    assert max(map(len, lines)) <= 80
    assert sum("1,000,000,008" in line for line in lines) == 2


def test_an_id_and_the_name_of_a_row_are_not_broken():
    key = "3fa652c4-1234-4dbd-89ed-3fa652c4d184"
    rows = [
        {"rule": "excluded_partner_name_words", "why": f"members of group {key}, and {'x' * 40}", "from": "default"}
    ]
    for width in (80, 60):
        lines = text_of(Table("t", ("rule", "why", "from"), rows), width)
        assert max(map(len, lines)) <= width
        assert any(key in line for line in lines)
        assert any("excluded_partner_name_words" in line for line in lines)


def test_a_column_that_is_empty_in_every_row_is_left_out():
    rows = [{"name": "Larch", "since": None, "why": ()}, {"name": "Beech", "since": None, "why": ()}]
    assert text_of(Table("t", ("name", "since", "why"), rows))[0].split() == ["name"]
    assert text_of(Table("t", ("name", "why"), []))[0].split() == ["name", "why"]


def test_markup_and_control_characters_of_others_are_shown_not_obeyed():
    lines = text_of(Table("t", ("name",), [{"name": "[red]Beech\x1b[2J"}]))
    assert "[red]Beech [2J" in lines[1]


def test_pandas_is_imported_only_when_a_file_is_written():
    code = "import sys, lms_assets.cli, lms_assets.console.tables; print('pandas' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize(
    "command", ["compare", "why", "reconcile", "push plan", "push history", "rules diff", "rules show", "status"]
)
def test_every_command_with_a_table_gives_it_away(command: str):
    found = typer.main.get_command(app)
    for word in command.split():
        found = found.commands[word]  # type: ignore[attr-defined]
    assert {"--json", "--out"} <= {option for each in found.params for option in each.opts}


def test_a_link_is_printed_whole_on_a_line_of_its_own():
    """At 80 columns a cell would fold it, and the pieces cannot be copied."""
    old, new = (f"https://portal.example.com/{path}/12345/training-dashboard?tier=premier-plus" for path in "ab")
    rows = [{"field": "dashboard", "sent": f"{old} → {new}"}, {"field": "again", "sent": new}]
    lines = text_of(Table("call", ("field", "sent"), rows))
    assert [line for line in lines if "http" in line] == [f"link 1: {old}", f"link 2: {new}"]
    assert "link 1 → link 2" in "\n".join(lines)
