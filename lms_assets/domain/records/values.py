"""Readers for single values of vendor records, which may hold anything that JSON can say; and what a rule refuses.

Two manners: the plain readers raise `BadValue` when the type is wrong, for fields that count; the `harmless_` readers
answer None instead, for fields whose loss does no damage. Nothing here knows what a field means.

`reason` and `problem` of a refused record may be stored and shown to anybody who runs the system, so they name fields,
types and ids and never hold a person's name or e-mail address.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Literal

RejectedKind = Literal["excluded", "bad", "unknown_course", "duplicate"]

ENTITY_ID_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Rejected:
    """A vendor record that becomes no row.

    - `excluded`: readable, but a filter of the domain rules leaves it out. A stored row of it is deactivated.
    - `bad`: not readable (no id, impossible date, wrong type in a field that counts). It belongs in
      `sync_failures`; a stored row of the same id counts as *seen* and stays as it is.
    - `unknown_course`: a transcript of a course that no list knows (domain rules, last row of the table).
    - `duplicate`: readable and right by itself; another record has the same value where the portal holds it once.

    `entity_id` is the vendor's id as text, at most 100 characters; a record without a usable id gets a
    fingerprint that is the same for the same content, so that it is reported once.
    """

    kind: RejectedKind
    entity_type: str
    entity_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth showing about a record that *was* taken."""

    entity_type: str
    entity_id: str
    problem: str


def fingerprint(record: Any) -> str:
    """`no-id-` and twelve hex digits, the same for the same content; never raises."""
    try:
        content = json.dumps(record, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):
        content = type(record).__name__
    return "no-id-" + hashlib.sha256(content.encode("ascii", "backslashreplace")).hexdigest()[:12]


TEXT_LIMIT = 255
LARGEST_INT = 2_147_483_647  # the portal's ids and counts are signed 32-bit columns
LMS_ID_LIMIT = 100  # portal schema: LMS ids can be longer than 50, columns are 100 wide

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DIGITS = re.compile(r"[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?")
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})


class BadValue(ValueError):
    """A field that counts cannot be read. The text names the field and the kind of value, never the value."""


def kind_of(value: Any) -> str:
    """What sort of JSON value this is, in words for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true/false"
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, (int, float)):
        return "a number"
    return "a list" if isinstance(value, (list, tuple)) else "an object"


def clean_text(text: str) -> str:
    """Text that every database takes and every page shows: control characters (NUL, line breaks) become
    blanks, lone surrogates U+FFFD, outer blanks go. Everything else, emoji and joiners too, is kept.
    """
    if not text.isprintable():
        text = _CONTROLS.sub(" ", _LONE_SURROGATES.sub("\ufffd", text))
    return text.strip()


def folded(text: str) -> str:
    """Under which two texts are the same ignoring case, width of characters and extra blanks."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def text_of(record: Mapping[str, Any], field: str, *, limit: int = TEXT_LIMIT) -> str | None:
    """The cleaned text of a field that counts; missing, null and blank are None.

    Raises `BadValue` when it is no text or longer than `limit`: a silent cut would make two names one.
    """
    value = record.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadValue(f"{field}: text expected, got {kind_of(value)}")
    text = clean_text(value)
    if len(text) > limit:
        raise BadValue(f"{field}: longer than {limit} characters")
    return text or None


def harmless_text(record: Mapping[str, Any], field: str, *, limit: int = TEXT_LIMIT) -> str | None:
    """The cleaned text of a field that identifies nothing: cut at `limit`, whole numbers as their digits
    (a phone number may come as one), anything else None.
    """
    value = record.get(field)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**19:
        value = str(value)
    if not isinstance(value, str):
        return None
    return clean_text(value[: limit * 2])[:limit].rstrip() or None


def whole_number_of(record: Mapping[str, Any], field: str) -> int | None:
    """A whole number from 0 to 2,147,483,647, as number or as text of digits; missing, null, blank are None.

    `3.0` is the number 3; true is not 1. Raises `BadValue` for anything else.
    """
    value = record.get(field)
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        value = int(text) if _DIGITS.fullmatch(text) else text
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"{field}: a whole number expected, got {kind_of(value)}")
    if not 0 <= value <= LARGEST_INT:
        raise BadValue(f"{field}: outside 0 to {LARGEST_INT}")
    return value


def harmless_whole_number(record: Mapping[str, Any], field: str) -> int | None:
    """Like `whole_number_of`, but None for what cannot be read."""
    try:
        return whole_number_of(record, field)
    except BadValue:
        return None


def crm_id_of(record: Mapping[str, Any]) -> int:
    """An Impartner id: a whole number above 0. Raises `BadValue` when there is none."""
    number = whole_number_of(record, "Id")
    if not number:
        raise BadValue("Id: missing or 0")
    return number


def lms_id(value: Any, field: str = "id") -> str:
    """A Northpass id: text of 1 to 100 visible characters without blanks (whole numbers become their digits).

    Raises `BadValue` otherwise.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**19:
        return str(value)
    if not isinstance(value, str):
        raise BadValue(f"{field}: an id expected, got {kind_of(value)}")
    text = value.strip()
    if not text or len(text) > LMS_ID_LIMIT:
        raise BadValue(f"{field}: an id of 1 to {LMS_ID_LIMIT} characters expected, got {len(text)}")
    if not text.isprintable() or any(character.isspace() for character in text):
        raise BadValue(f"{field}: blanks or invisible characters in an id")
    return text


def flag_of(record: Mapping[str, Any], field: str) -> bool | None:
    """True or false, also as 1/0 or as text (`true`, `false`, `1`, `0`, `yes`, `no`); missing, null and blank
    are None. Raises `BadValue` for anything else.
    """
    value = record.get(field)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return None
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise BadValue(f"{field}: true or false expected, got {kind_of(value)}")


def harmless_number(value: Any, *, lowest: float, highest: float) -> Decimal | None:
    """A number (also as plain decimal text) within the bounds, rounded to two places; otherwise None.

    Args:
        lowest, highest: the bounds, inclusive.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return None
    if not isinstance(value, (int, float, str)) or (isinstance(value, int) and abs(value) > 10**12):
        return None
    try:
        number = Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    except InvalidOperation:
        return None
    return number if Decimal(str(lowest)) <= number <= Decimal(str(highest)) else None


def object_of(record: Any, field: str) -> Mapping[str, Any]:
    """The nested object under `field`. Raises `BadValue` when it is missing or no object."""
    value = record.get(field) if isinstance(record, Mapping) else None
    if not isinstance(value, Mapping):
        raise BadValue(f"{field}: an object expected, got {kind_of(value)}")
    return value


def label_of(record: Any, field: str) -> str:
    """Something to call the record in a finding: its id, cut to 100 characters, else a fingerprint. Never raises."""
    value = record.get(field) if isinstance(record, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**19:
        return str(value)
    if isinstance(value, str) and clean_text(value):
        text = clean_text(value)
        return text if len(text) <= ENTITY_ID_LIMIT else text[:80] + fingerprint(text)[5:]
    return fingerprint(record)
