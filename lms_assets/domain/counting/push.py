"""One push: what is sent, of whom nothing is and why, and what the CRM's answers mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lms_assets.domain.counting.push_plan import (
    Pushed,
    PushItem,
    Shown,
    Value,
    compare_read_back,
    compared,
    plan_push,
    shown_since,
)
from lms_assets.domain.safety.withheld import WithheldReason

Outcome = Literal["confirmed", "refused", "differs"]
CONFIRMED: Outcome = "confirmed"


@dataclass(frozen=True, slots=True)
class Sending:
    """One field of one account that is about to be sent.

    `crm_showed`: what the CRM showed of it since it was last confirmed; None when it was not listed since.
    """

    partner_id: int | None
    impartner_id: int
    field: str
    last_confirmed: Any
    crm_showed: Any
    sent: Any


@dataclass(frozen=True, kw_only=True)
class PushFacts:
    """What a push is planned from.

    Attributes:
        desired: what the CRM should show of each account that may be sent, by Impartner id.
        row_ids: the partner of each of these accounts.
        without_crm_id: row ids of partners that cannot be sent.
        withheld: row ids of partners whose counts must not leave, and why.
        memory: what the CRM confirmed, by account; `listed`: what it last showed.
    """

    desired: Mapping[int, Mapping[str, Value]]
    row_ids: Mapping[int, int]
    without_crm_id: tuple[int, ...]
    withheld: Mapping[int, tuple[WithheldReason, ...]]
    memory: Mapping[int, Pushed]
    listed: Mapping[int, Shown]


@dataclass(frozen=True, kw_only=True)
class PushPlan:
    """What a push would send, of `partners` that it looked at.

    Attributes:
        first: the CRM has confirmed nothing yet.
        shown: what the CRM showed since it confirmed, by account and field.
        unfinished: accounts whose last sending has no known end, so that all of their fields are sent again.
    """

    facts: PushFacts
    items: tuple[PushItem, ...]
    first: bool
    shown: Mapping[int, Mapping[str, Any]]
    unfinished: frozenset[int]

    @property
    def partners(self) -> int:
        """How many partners may be sent, whether something of them differs or not."""
        return len(self.facts.desired)

    def sendings(self, item: PushItem) -> Iterator[Sending]:
        """Each field of an account with what is known of it, for the log."""
        number = item.impartner_id
        memory, shown = self.facts.memory.get(number), self.shown.get(number, {})
        confirmed = memory.fields if memory else {}
        for name, value in item.fields.items():
            yield Sending(self.facts.row_ids.get(number), number, name, confirmed.get(name), shown.get(name), value)


def plan_whole_push(facts: PushFacts, *, resend_drift: bool, only: int | None = None) -> PushPlan:
    """What differs from what the CRM last confirmed or shows.

    Args:
        resend_drift: what the CRM shows otherwise than it confirmed is sent again.
        only: the row id of a partner: nobody else is sent, and it is sent whole.
    """
    memory = facts.memory
    unfinished = frozenset(key for key, pushed in memory.items() if _is_unfinished(pushed))
    trusted = {key: {} if key in unfinished else pushed.fields for key, pushed in memory.items()}
    drift = {key: compared(memory[key], shown) for key, shown in facts.listed.items() if key in memory}
    wanted = {key: fields for key, fields in facts.desired.items() if only in (None, facts.row_ids[key])}
    whole = frozenset() if only is None else frozenset(wanted)
    return PushPlan(
        facts=facts,
        items=plan_push(wanted, trusted, shown=drift if resend_drift else {}, whole=whole),
        first=not any(each.fields for each in memory.values()),
        shown={key: shown_since(pushed, facts.listed.get(key)) for key, pushed in memory.items()},
        unfinished=unfinished,
    )


def _is_unfinished(pushed: Pushed) -> bool:
    """A later attempt than the confirmed one never came to an end: its values may stand in the CRM."""
    return pushed.last_attempt_at is not None and (
        pushed.confirmed_at is None or pushed.last_attempt_at > pushed.confirmed_at
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an account: `differs` was accepted and reads back otherwise. `message`: the vendor's words."""

    outcome: Outcome
    code: str | None = None
    message: str | None = None


def refused(message: str | None, code: str | None) -> Answer:
    """The answer of an account that the CRM did not take, or of which nobody knows whether it did."""
    return Answer("refused", code, message or "refused")


def judge_read_back(
    accepted: Mapping[int, Mapping[str, Any]], read: Mapping[int, Mapping[str, Any]]
) -> dict[int, Answer]:
    """What became of the accounts that accepted the change: they show it, or a field of it differs."""
    answers = dict.fromkeys(accepted, Answer(CONFIRMED))
    for each in compare_read_back(accepted, read):
        answers[each.impartner_id] = Answer("differs", None, f"{each.field} was accepted and reads back differently")
    return answers


@dataclass(frozen=True)
class CallResult:
    """What became of one call, of which every account has an answer.

    Attributes:
        read: what was read back, by account and field.
        arrived: the CRM answered the call.
    """

    batch: Sequence[PushItem]
    answers: Mapping[int, Answer]
    read: Mapping[int, Mapping[str, Any]]
    arrived: bool

    @property
    def refused(self) -> dict[int, str]:
        """Why accounts were not confirmed, by Impartner id."""
        return {key: each.message or "" for key, each in self.answers.items() if each.outcome != CONFIRMED}

    @property
    def confirmed(self) -> dict[int, Mapping[str, Value]]:
        """The fields that the CRM shows now as they were sent, by Impartner id."""
        refused = self.refused
        return {item.impartner_id: item.fields for item in self.batch if item.impartner_id not in refused}
