"""Carrying out a reviewed offboarding plan: what of it may be sent now, and what not any more. Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.offboarding import Removal
from lms_assets.domain.wording import number_of

OPEN_ITEMS = ("planned", "sent", "failed")
"""Items that still have to be carried out: `sent` ones were interrupted before their answer came."""
OLDEST = timedelta(days=1)
A_DAY = timedelta(days=1)
BATCH = 50
"""People in one call (Northpass API, endpoints)."""
NO_MEMBER = "the group does not list the person now, or has another name"


class PlanRefused(SyncStopped):
    """The plan must not be written or carried out; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. `status`: proposed, superseded, reviewed, applying, applied. `summary`: removals and people in it."""

    id: int
    created_at: datetime
    status: str
    reviewed_by: str | None
    reviewed_at: datetime | None
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One removal of a plan; `status`: planned, sent, failed, removed, absent, group_gone, dropped.

    `error`: why it failed, or was dropped.
    """

    id: int
    removal: Removal
    status: str
    sent_at: datetime | None
    error: str | None = None


def require_reviewed(plan: Plan | None, plan_id: int, now: datetime) -> Plan:
    """The plan `plan_id` as it was found, if it may be carried out.

    Raises:
        PlanRefused: there is none, nobody has reviewed it, or it is too old.
    """
    if plan is None:
        raise PlanRefused(f"There is no offboarding plan {plan_id}.")
    if plan.status not in ("reviewed", "applying") or not plan.reviewed_by:
        raise PlanRefused(f"Plan {plan.id} is {plan.status}; only one that somebody has reviewed is applied.")
    if now - plan.created_at > OLDEST:
        raise PlanRefused(f"Plan {plan.id} is more than a day old; make a new one and have it reviewed.")
    return plan


def refuse_changed(plan_id: int, items: Sequence[PlanItem], today: Container[Removal]) -> None:
    """Whoever is to be removed must be so by today's facts, for the same reason.

    Args:
        today: every removal as the facts give it now; what the plan has removed itself counts as still there.

    Raises:
        PlanRefused: an open removal is not among them.
    """
    changed = [item for item in items if item.status in OPEN_ITEMS and item.removal not in today]
    if changed:
        sample = ", ".join(f"{item.removal.user_id} in {item.removal.group_id}" for item in changed[:5])
        raise PlanRefused(
            f"The facts of {number_of(len(changed), 'removal')} of plan {plan_id} have changed ({sample}). "
            "Nothing was sent; make a new plan and have it reviewed."
        )


@dataclass(frozen=True, slots=True)
class DueRemovals:
    """What may be sent now, `batches` of one group each; `waiting`: all open removals, those of other days included."""

    batches: tuple[tuple[PlanItem, ...], ...]
    waiting: int


def due_removals(
    items: Sequence[PlanItem], *, everybody: Collection[str], limit: int, sent: int, now: datetime
) -> DueRemovals:
    """Open removals group by group, 50 a call, as many as the day still allows; what was interrupted goes on.

    Out of everybody's groups first: who is still in a partner's own group can still be planned tomorrow.

    Args:
        everybody: ids of the groups of everybody with partner access.
        limit: removals a day. sent: those that were sent in the last 24 hours, which interrupted ones are part of.
        now: UTC.
    """
    ordered = sorted(items, key=lambda item: (item.removal.group_id not in everybody, item.removal.group_id))
    waiting = [item for item in ordered if item.status in OPEN_ITEMS]
    resumed = [item for item in waiting if item.sent_at is not None and item.sent_at >= now - A_DAY]
    fresh = [item for item in waiting if item not in resumed][: max(0, limit - sent)]
    chosen = {item.id for item in (*resumed, *fresh)}
    batches = []
    for _, found in groupby((item for item in waiting if item.id in chosen), key=lambda item: item.removal.group_id):
        of_group = tuple(found)
        batches += [of_group[start : start + BATCH] for start in range(0, len(of_group), BATCH)]
    return DueRemovals(tuple(batches), len(waiting))


@dataclass(frozen=True, slots=True)
class Batch:
    """What is done with the removals of one call.

    Attributes:
        send: taken out of their group now.
        gone: sent before an interruption, and no members any more: that took them out.
        dropped: not sent, because what they rest on has changed at a vendor; each with the reason.
    """

    send: tuple[PlanItem, ...]
    gone: tuple[PlanItem, ...]
    dropped: Mapping[PlanItem, str]


def without_changed(planned: Sequence[PlanItem], changed: Mapping[PlanItem, str]) -> Batch:
    """The removals of one call without those that the vendors' answers of right now speak against.

    Args:
        changed: the removals that must not be sent, each with the reason.
    """
    gone = tuple(item for item in changed if item.sent_at is not None and changed[item] == NO_MEMBER)
    dropped = {item: reason for item, reason in changed.items() if item not in gone}
    return Batch(tuple(item for item in planned if item not in changed), gone, dropped)
