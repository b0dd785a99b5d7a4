"""Asking a vendor for records by their ids, with control records in each answer.

What the answers confirm is decided in `domain.safety.confirmation`. Where no record can be asked for by id
(memberships, transcripts, points of courses) the list is read a second time instead, in another way where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from lms_assets.assets.sync_run import Step
from lms_assets.domain.counting.push_plan import in_batches
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import Answers, Doubt, control_records, why_answers_prove_nothing
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

    def answers(self, wanted: Collection[Id]) -> Answers[Id, T]:
        """What the wanted records answer, and why the answers prove nothing (None: they do).

        Raises:
            VendorError: some could not be asked.
        """
        asked = frozenset(wanted)
        if not asked:
            return Answers(asked)
        controls: list[Id] = control_records(self.known, asked)
        if not controls and self.others is not None:
            controls = control_records(self.others(), asked)
        problem = why_answers_prove_nothing(controls, controls)
        found: dict[Id, Any] = {}
        chosen: Sequence[Id] = self._sample(sorted(asked))
        for part in in_batches(chosen, ASKED_AT_ONCE):
            if problem is not None:
                break
            answered = self.ask(controls + list(part))
            problem = why_answers_prove_nothing(controls, answered)
            found.update((each, answered[each]) for each in part if each in answered)
        belonging = frozenset(each for each, record in found.items() if self.belongs(record))
        return Answers(asked, {each: self.convert(record) for each, record in found.items()}, belonging, problem)

    def _sample(self, ids: list[Id]) -> Sequence[Id]:
        if self.sample_beyond is None or len(ids) <= self.sample_beyond:
            return ids
        return ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE]


def ask_about(doubts: Mapping[Doubt, Collection[Id]], source: ById[Id, T]) -> dict[Doubt, Answers[Id, T]]:
    """What records in doubt answer, by doubt; without those of which there are none.

    Raises:
        VendorError: some could not be asked.
    """
    # No limit stops records that lost something without leaving, so each of them is asked for.
    each_of_them = replace(source, sample_beyond=None)
    unlimited = (Doubt.WITHOUT_EMAIL, Doubt.WITHOUT_PARTNER)
    return {
        doubt: (each_of_them if doubt in unlimited else source).answers(ids) for doubt, ids in doubts.items() if ids
    }


def lms_by_id(
    step: Step,
    client: NorthpassClient,
    ask: Callable[[str], Any],
    convert: Callable[[Any], T | Rejected],
    *,
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
