"""What a sync did, as figures that can be added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not written, because the database could not hold it; the other rows were.

    Attributes:
        key: values of the key columns (ids, no personal data; an id that the database would have given is None).
        reason: why, without the values.
        values: the row, for working out what rests on it; never to be shown.
    """

    key: tuple[Any, ...]
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Its key as text; a row whose id the database would have given is known by the CRM's id."""
        key = [self.values.get("impartner_id")] if None in self.key else self.key
        return "/".join(str(part) for part in key)


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """Rows by what became of them; every row given is in exactly one of the figures, or in `rejected_rows`.

    Attributes:
        created, updated, unchanged: unchanged rows were not written.
        deactivated, reactivated: `is_active` changed, whatever else did.
        deleted: rows removed (children and leads only).
        shortened: rows written with a value cut to its column; they are in one of the other figures too.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: int = 0
    reactivated: int = 0
    deleted: int = 0
    shortened: int = 0
    rejected_rows: tuple[RejectedRow, ...] = ()

    def __add__(self, other: SyncCounts) -> SyncCounts:
        return SyncCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def written(self) -> int:
        """Rows that were written or removed."""
        return self.created + self.updated + self.deactivated + self.reactivated + self.deleted

    @property
    def processed(self) -> int:
        """Rows that were given, and those removed."""
        return self.written + self.unchanged + len(self.rejected_rows)

    def figures(self) -> dict[str, int]:
        """By the names under which an asset's materialisation shows them."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "deactivated": self.deactivated,
            "reactivated": self.reactivated,
            "removed": self.deleted,
            "refused_by_database": len(self.rejected_rows),
        }
