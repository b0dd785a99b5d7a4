"""What a rule says about a record that it does not take: values only, no raising, no logging.

`reason` and `problem` may be stored and shown to anybody who runs the system, so they name fields, types and
ids and never hold a person's name or e-mail address.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
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
