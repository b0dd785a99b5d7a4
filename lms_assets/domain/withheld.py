"""Why a partner's counts must not leave: something they rest on was not read, or not since it changed.

Pure values; `warehouse.reading.withheld` finds the facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["WithheldReason", "by_partner", "named"]


@dataclass(frozen=True, slots=True, order=True)
class WithheldReason:
    """One reason. `kind` is a fixed word for programs; `text` is for people and holds ids, never personal data."""

    kind: str
    text: str


def by_partner(found: Iterable[tuple[int, WithheldReason]]) -> Mapping[int, tuple[WithheldReason, ...]]:
    """Partner row id to its reasons, each once, sorted."""
    reasons: dict[int, set[WithheldReason]] = {}
    for partner_id, reason in found:
        reasons.setdefault(partner_id, set()).add(reason)
    return {partner_id: tuple(sorted(of_partner)) for partner_id, of_partner in sorted(reasons.items())}


def named(withheld: Mapping[int, tuple[WithheldReason, ...]]) -> list[str]:
    """One line a partner, for people: its row id and every reason."""
    return [f"partner {key}: {'; '.join(each.text for each in reasons)}" for key, reasons in withheld.items()]
