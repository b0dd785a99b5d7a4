"""The shapes of Impartner's answers, and its two spellings of field names (Impartner API, transport). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lms_assets.vendors.listing import Record
from lms_assets.vendors.transport.responses import (
    Refusal,
    RefusedInBody,
    ShapeError,
    error_summary,
    refuse_more_than_asked_for,
)

_KINDS: tuple[tuple[Refusal, re.Pattern[str]], ...] = (
    ("authentication", re.compile(r"unauthori[sz]ed|forbidden|access ?denied|api ?key|credential|authenticat", re.I)),
    ("throttled", re.compile(r"throttl|too ?many|rate ?limit|quota", re.I)),
    ("unavailable", re.compile(r"unavailable|time(d)? ?out|internal ?(server)? ?error|try again|deadlock|busy", re.I)),
    ("not_found", re.compile(r"not ?found|does not exist", re.I)),
)


def refuse_if_unauthorised(body: Any) -> None:
    """Raises RefusedInBody when the answer says that the key may not do this; any other answer passes."""
    try:
        payload(body)
    except ShapeError:
        return
    except RefusedInBody as refused:
        if refused.kind == "authentication":
            raise


def payload(body: Any) -> Any:
    """`data` of an answer that says success. Raises RefusedInBody or ShapeError."""
    if not isinstance(body, dict):
        raise ShapeError("the answer is not an object")
    if body.get("success") is False:
        said = error_summary(body) or "success is false, without a reason"
        raise RefusedInBody(next((kind for kind, words in _KINDS if words.search(said)), "rejected"), said)
    if "data" not in body:
        raise ShapeError("`data` is missing")
    return body["data"]


def page_of(asked_for: int) -> Callable[[Any], tuple[list[Record], int | None]]:
    """A parser as `rows_and_count` that takes no page with more rows than were asked for."""

    def parse(body: Any) -> tuple[list[Record], int | None]:
        rows, count = rows_and_count(body)
        refuse_more_than_asked_for(rows, asked_for)
        return rows, count

    return parse


def rows_and_count(body: Any) -> tuple[list[Record], int | None]:
    """The records of a list answer as they came, and the vendor's total. Raises as `payload` does."""
    data = payload(body)
    if not isinstance(data, dict):
        raise ShapeError("`data` is not an object")
    rows = data.get("results")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ShapeError("`data.results` is missing or is not a list of objects")
    count = integer(data.get("count"))
    if count is not None and count < 0:
        raise ShapeError("`data.count` is negative")
    return rows, count


def records_asked_for(ids: Container[int], fields: Sequence[str]) -> Callable[[Any], dict[int, Record]]:
    """A parser of an answer to `Id in (...)`: it takes no answer that could hide a record or show a wrong one."""
    convert = with_fields(fields)

    def parse(body: Any) -> dict[int, Record]:
        rows, count = rows_and_count(body)
        records = [convert(row) for row in rows]
        found = {record["Id"]: record for record in records if isinstance(record["Id"], int) and record["Id"] in ids}
        if len(found) != len(records) or count not in (None, len(records)):
            raise ShapeError("records asked for by id came with others, twice, or fewer than the vendor counts")
        return found

    return parse


def deleted_ids(body: Any) -> set[int]:
    """The ids of a `_deleted` answer. Raises as `payload` does."""
    data = payload(body)
    ids = [integer(value) for value in data] if isinstance(data, list) else [None]
    if any(value is None for value in ids):
        raise ShapeError("`data` is not a list of ids")
    return {value for value in ids if value is not None}


def with_fields(fields: Sequence[str]) -> Callable[[Record], Record]:
    """A function that gives a record the names asked for only; missing is None, `Id` an int if it can be."""
    names = tuple(dict.fromkeys(("Id", *(name for name in fields if name.lower() != "id"))))
    wanted = tuple((name, name.lower()) for name in names)

    def convert(record: Record) -> Record:
        lower = {key.lower(): value for key, value in record.items()}
        result = {name: lower.get(key) for name, key in wanted}
        number = integer(result["Id"])
        result["Id"] = result["Id"] if number is None else number
        return result

    return convert


def integer(value: Any) -> int | None:
    """The whole number that a JSON value holds, also as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value, re.ASCII):
        return int(value)
    return None


def identity_of(record: Record) -> int | None:
    """The record's Id; None when it has none that can be read."""
    return integer(record.get("Id"))


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What the vendor says about one field of an object. `data_type` is the vendor's word, "" if it gives none."""

    name: str
    read_only: bool
    data_type: str


class Fields(Mapping[str, FieldInfo]):
    """The fields of an object by name; upper and lower case make no difference."""

    def __init__(self, fields: Sequence[FieldInfo]) -> None:
        self._by_lower = {field.name.lower(): field for field in fields}

    def __getitem__(self, name: str) -> FieldInfo:
        return self._by_lower[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_lower

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in self._by_lower.values())

    def __len__(self) -> int:
        return len(self._by_lower)


def described_fields(body: Any) -> Fields:
    """The fields of a `_describe` answer: in `data`, `data.fields`, or `fields` of the only object in `data`.

    Raises as `payload`.
    """
    data = payload(body)
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict) and "fields" in map(str.lower, data[0]):
        data = data[0]
    if isinstance(data, dict):
        lower = {key.lower(): value for key, value in data.items()}
        data = lower.get("fields")
    if not isinstance(data, list) or not data or not all(isinstance(item, dict) for item in data):
        raise ShapeError("the list of fields is missing")
    return Fields([_field(item) for item in data])


def _field(item: Record) -> FieldInfo:
    lower = {key.lower(): value for key, value in item.items()}
    name = lower.get("name")
    if not isinstance(name, str) or not name:
        raise ShapeError("a field has no name")
    data_type = lower.get("datatype")
    # Whether a field may be written is only believed when it is said.
    return FieldInfo(name, lower.get("isreadonly") is not False, data_type if isinstance(data_type, str) else "")
