"""The form in which a column gives a value back, at the exact bounds of what it can hold. No database is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Date, Enum, ForeignKey, Integer, MetaData, Numeric, String, Table, Text

from lms_assets.warehouse.schema.base import UtcDateTime
from lms_assets.warehouse.upsert.fitting import Fitted, Fitter

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TABLE = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("code", String(5), unique=True),
    Column("parent", String(5), ForeignKey("others.id")),
    Column("name", String(5)),
    Column("must", String(5), nullable=False),
    Column("note", Text),
    Column("at", UtcDateTime),
    Column("day", Date),
    Column("flag", Boolean),
    Column("number", Integer),
    Column("score", Numeric(5, 2)),
    Column("whole", Numeric(3)),
    Column("kind", Enum("some", "other")),
    Column("document", JSON),
)


def fit(key: tuple[str, ...] = (), **values: Any) -> Fitted:
    return Fitter(TABLE, tuple(values), key).fit(values)


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("at", datetime(2026, 3, 2, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1))), NOON),
        ("day", date(2026, 3, 2), date(2026, 3, 2)),
        ("flag", 0, False),
        ("flag", True, True),
        ("number", 7.0, 7),
        ("number", Decimal(7), 7),
        ("number", True, 1),
        ("number", 2**31 - 1, 2**31 - 1),
        ("number", -(2**31), -(2**31)),
        ("score", 95.456, Decimal("95.46")),
        ("score", "7", Decimal("7.00")),
        ("score", 999.99, Decimal("999.99")),
        ("score", -999.99, Decimal("-999.99")),
        ("whole", 999, Decimal(999)),
        ("kind", "some", "some"),
        ("name", "Ünder", "Ünder"),
        ("name", "a\x00b", "ab"),
        ("name", "a\ud800b", "a\ufffdb"),
        ("name", "\udfff", "\ufffd"),
        ("name", "\ue000\ud7ff", "\ue000\ud7ff"),
        ("name", "", ""),
        ("name", None, None),
        ("note", "x" * 16_000, "x" * 16_000),
        ("document", {"a": [1, "é"]}, {"a": [1, "é"]}),
        ("document", {"a": "x\ud800y"}, {"a": "x?y"}),
        ("document", "é" * 999_998, "é" * 999_998),
        ("document", "x" * 999_998, "x" * 999_998),
    ],
)
def test_a_value_that_fits_is_kept_as_the_database_will_give_it_back(column, value, kept):
    fitted = fit(**{column: value})
    assert fitted == Fitted({column: kept})
    assert type(fitted.values[column]) is type(kept)


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("at", "2026-03-02", None),
        ("day", NOON, None),
        ("day", "2026-03-02", None),
        ("flag", "true", None),
        ("flag", 2, None),
        ("number", 7.5, None),
        ("number", "7", None),
        ("number", 2**31, None),
        ("number", -(2**31) - 1, None),
        ("score", "many", None),
        ("score", 1000, None),
        ("score", 999.995, None),
        ("score", -1000, None),
        ("score", float("nan"), None),
        ("score", float("inf"), None),
        ("whole", 1000, None),
        ("name", 7, None),
        ("name", "123456", "12345"),
        ("note", "x" * 16_001, "x" * 16_000),
        ("document", {"a": float("nan")}, None),
        ("document", object(), None),
        ("document", "x" * 999_999, None),
    ],
)
def test_what_an_optional_column_cannot_hold_is_cut_or_left_out_and_named(column, value, kept):
    assert fit(**{column: value}) == Fitted({column: kept}, (column,))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"id": "seven"}, "id is not a whole number"),
        ({"id": 2**31}, "id is beyond 32 bits"),
        ({"code": "123456"}, "code is longer than 5 characters"),
        ({"code": 7}, "code is not text"),
        ({"parent": "123456"}, "parent is longer than 5 characters"),
        ({"parent": 7}, "parent is not text"),
        ({"must": 7}, "must is not text"),
        ({"must": None}, "must is missing"),
    ],
)
def test_a_row_that_would_lose_what_identifies_it_or_must_be_there_is_unfit(values, problem):
    row = {"name": "a", **values}
    assert fit(**row) == Fitted(row, problem=problem)


def test_a_text_that_must_be_there_may_be_cut():
    assert fit(must="123456") == Fitted({"must": "12345"}, ("must",))


def test_a_key_is_never_cut_and_may_be_missing_for_a_new_row():
    assert fit(("name",), name="123456").problem == "name is longer than 5 characters"
    assert fit(("name",), name=7).problem == "name is not text"
    assert fit(("id",), id=None, name="a") == Fitted({"id": None, "name": "a"})


def test_every_value_that_was_cut_is_named():
    assert fit(name="123456", number="x", flag=True) == Fitted(
        {"name": "12345", "number": None, "flag": True}, ("name", "number")
    )


def test_rows_with_other_columns_are_a_mistake_of_the_program():
    fitter = Fitter(TABLE, ("name", "number"), ())
    with pytest.raises(ValueError, match="must all have the columns name, number"):
        fitter.fit({"name": "a"})
    with pytest.raises(ValueError, match="must all have the columns name, number"):
        fitter.fit({"name": "a", "number": 1, "flag": True})
    with pytest.raises(ValueError, match="things has no column colour, size"):
        Fitter(TABLE, ("name", "colour", "size"), ())
