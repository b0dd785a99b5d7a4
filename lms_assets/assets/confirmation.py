"""Absence, and every change for the worse, is confirmed before it has an effect.

One strength for every kind of record: all that is in doubt is asked for again, each answer by id has to show control
records, and one record that contradicts the listing means that nothing is concluded from it. Where no record can be
asked for by id (memberships, transcripts, points of courses) the list is read a second time instead, in another way
where there is one: `domain.confirmation.why_readings_prove_nothing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from lms_assets.assets.listing_sync import ListingResult
from lms_assets.assets.sync_run import Step
from lms_assets.domain.counting.push_plan import in_batches
from lms_assets.domain.records.rejections import Rejected
from lms_assets.domain.safety.confirmation import control_records, why_answers_prove_nothing
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError

Id = TypeVar("Id", int, str)
T = TypeVar("T")

ASKED_AT_ONCE = 90
SAMPLE = 20


def is_there(record: Any) -> bool:
    """Every record that answers belongs in the listing."""
    return True


@dataclass(frozen=True)
class ById(Generic[Id, T]):
    """How one kind of record is asked for by id, and what is known to be there.

    Attributes:
        ask: the records that answer, by id.
        convert: the rule that turns a record into a row.
        known: ids of records known to be there; some are asked for with each part, as control records.
        belongs: whether a record that answers should have been listed.
        others: finds control records where none is known.
        sample_beyond: of more ids than this only a sample is asked for, because the deactivation limit stops them.
    """

    ask: Callable[[Sequence[Id]], Mapping[Id, Any]]
    convert: Callable[[Any], T | Rejected]
    known: Collection[Id]
    belongs: Callable[[Any], bool] = is_there
    sample_beyond: int | None = None
    others: Callable[[], Collection[Id]] | None = None

    def answers(self, wanted: Collection[Id]) -> tuple[dict[Id, Any], str | None]:
        """The wanted records that answer, by id, and why the answers prove nothing (None: they do).

        Raises:
            VendorError: some could not be asked.
        """
        controls: list[Id] = control_records(self.known, wanted)
        if not controls and self.others is not None:
            controls = control_records(self.others(), wanted)
        doubt = why_answers_prove_nothing(controls, controls)
        found: dict[Id, Any] = {}
        chosen: Sequence[Id] = self._sample(sorted(wanted))
        for part in in_batches(chosen, ASKED_AT_ONCE):
            if doubt is not None:
                break
            answered = self.ask(controls + list(part))
            doubt = why_answers_prove_nothing(controls, answered)
            found.update((each, answered[each]) for each in part if each in answered)
        return found, doubt

    def _sample(self, ids: list[Id]) -> Sequence[Id]:
        if self.sample_beyond is None or len(ids) <= self.sample_beyond:
            return ids
        return ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE]


def lms_by_id(
    step: Step,
    client: NorthpassClient,
    ask: Callable[[str], Any],
    *,
    convert: Callable[[Any], T | Rejected],
    known: Collection[str],
    sample_beyond: int | None = None,
) -> ById[str, T]:
    """LMS records, each asked for with a call of its own."""
    return ById(partial(_each, step, client, ask), convert, known, sample_beyond=sample_beyond)


def _each(step: Step, client: NorthpassClient, ask: Callable[[str], Any], ids: Sequence[str]) -> dict[str, Any]:
    found = {}
    for done, (record_id, answer) in enumerate(client.for_each(ids, ask), start=1):
        step.progress(f"{step.key} asked for by id", done, len(ids))
        if isinstance(answer, VendorError):
            raise answer
        if answer is not None:
            found[record_id] = answer
    return found


def confirm_missing(listing_result: ListingResult[T], source: ById[Id, T], missing: Collection[Id]) -> set[Id]:
    """The ids that a listing lacks, when none of them answers as one that belongs there; else none of them.

    Raises:
        VendorError: some could not be asked.
    """
    if not listing_result.complete or not missing:
        return set()
    found, doubt = source.answers(missing)
    if doubt is None and any(source.belongs(record) for record in found.values()):
        doubt = "a record that the listing lacks is still there when asked for by id"
    return _all_or_none(listing_result, missing, doubt)


def confirm_changed(
    listing_result: ListingResult[T],
    source: ById[Id, T],
    changed: Collection[Id],
    holds: Callable[[T | Rejected], bool],
) -> set[Id]:
    """The records that a listing shows changed for the worse, when all say so again; else none of them.

    Args:
        holds: whether what the rule makes of the second answer confirms the change. Not found confirms it too.

    Raises:
        VendorError: some could not be asked.
    """
    if not changed:
        return set()
    found, doubt = source.answers(changed)
    if doubt is None and not all(holds(source.convert(record)) for record in found.values()):
        doubt = "a record that changed for the worse reads differently when asked for by id"
    return _all_or_none(listing_result, changed, doubt)


def confirm_deleted(listing_result: ListingResult[T], source: ById[Id, T], deleted: Collection[Id]) -> set[Id]:
    """Of the records that the vendor's log calls deleted, those that do not answer; none on answers that prove nothing.

    One that answers contradicts the log, not a listing, so the others are believed anyway.

    Raises:
        VendorError: some could not be asked.
    """
    if not deleted:
        return set()
    found, doubt = source.answers(deleted)
    return _all_or_none(listing_result, set(deleted) - set(found), doubt)


def read_again(listing_result: ListingResult[T], source: ById[Id, T], doubted: Collection[Id]) -> dict[Id, T]:
    """What the rule makes of these records when they are asked for by id; those that answer and are taken.

    Raises:
        VendorError: some could not be asked.
    """
    if not doubted:
        return {}
    found, doubt = source.answers(doubted)
    if doubt is not None:
        listing_result.proven_incomplete(doubt)
    rows = {each: source.convert(record) for each, record in found.items()}
    return {each: row for each, row in rows.items() if not isinstance(row, Rejected)}


def _all_or_none(listing_result: ListingResult[Any], ids: Collection[Id], doubt: str | None) -> set[Id]:
    if doubt is not None:
        listing_result.proven_incomplete(doubt)
        return set()
    return set(ids)
