"""LMS rows that a listing lacks or changes for the worse: asked for by themselves before anything follows from it.

Source: domain rules, deletions. A row that answers proves that the listing was incomplete. The fuse is here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from lms_assets.assets.intake import Intake
from lms_assets.assets.step import Step
from lms_assets.domain.deletions import Leaving, check_deactivation_limit, fuse_limit
from lms_assets.domain.findings import Rejected
from lms_assets.domain.overrides import mass_deactivation
from lms_assets.vendors.errors import VendorError
from lms_assets.vendors.northpass import NorthpassClient
from lms_assets.warehouse.deactivations import deactivated_lately, note_deactivations

T = TypeVar("T")
SAMPLE = 20


@dataclass(frozen=True)
class LmsSource(Generic[T]):
    """One kind of LMS record: how it is asked for by id, and the rule that turns it into a row."""

    client: NorthpassClient
    ask: Callable[[str], Any]
    convert: Callable[[Any], T | Rejected]
    active: int
    """How many rows are active: the base of the fuse."""


def confirm_absences(
    step: Step, intake: Intake[T], source: LmsSource[T], absent: Sequence[str], control: str | None
) -> set[str]:
    """Of the LMS ids that a listing lacks, those that answer 404; none when the listing was incomplete.

    One that answers ends the asking. More than the fuse allows are asked for by a sample first: when none of it
    answers they are taken as they are, for the fuse to judge, unless the fuse may be passed.

    Args:
        absent: ids of active rows.
        control: an id that the listing shows; if that is 404 too, no 404 is believed.

    Raises:
        VendorError: some could not be asked.
    """
    if not intake.complete or not absent:
        return set()
    if control is not None and source.ask(control) is None:
        intake.proven_incomplete("a record that the listing shows is not found when asked for")
        return set()
    for _, answer in _answers(step, source, _those_to_ask(step, source, absent)):
        if answer is not None:
            intake.proven_incomplete("a record that the listing lacks is still there when asked for")
            return set()
    return set(absent)


def confirm_changes(
    step: Step, intake: Intake[T], source: LmsSource[T], changed: Sequence[str], holds: Callable[[T | Rejected], bool]
) -> set[str]:
    """Of the records that changed for the worse, those that say so again when asked for by id: all, or none.

    Args:
        holds: whether what the rule makes of the second answer confirms the change. Not found confirms it too.

    Raises:
        VendorError: some could not be asked.
    """
    for _, answer in _answers(step, source, _those_to_ask(step, source, changed)):
        if answer is not None and not holds(source.convert(answer)):
            intake.proven_incomplete("a record that was listed as left out or disabled reads differently by itself")
            return set()
    return set(changed)


def _those_to_ask(step: Step, source: LmsSource[Any], ids: Sequence[str]) -> Sequence[str]:
    beyond_limit = (
        len(ids) > fuse_limit(source.active, step.rules) and mass_deactivation(step.key) not in step.overrides
    )
    return ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE] if beyond_limit else ids


def _answers(step: Step, source: LmsSource[Any], ids: Sequence[str]) -> Iterable[tuple[str, Any]]:
    for done, (record_id, answer) in enumerate(source.client.for_each(ids, source.ask), start=1):
        step.progress(f"{step.key} asked for by id", done, len(ids))
        if isinstance(answer, VendorError):
            raise answer
        yield record_id, answer


def stop_if_too_many(
    step: Step, kind: str, active: int, leaving: Iterable[object], parts: Mapping[str, int] | None = None
) -> None:
    """The deactivation limit: refuse to take away more than the set share within 24 hours, before anything is written.

    What leaves is noted when the step writes, for the runs of the next 24 hours.

    Args:
        kind: as the overrides call it (`domain.overrides`).
        parts: how many leave each part that is judged by itself as well, such as a group.

    Raises:
        MassDeactivationStopped: unless the person who started the run allowed it.
    """
    ids = sorted(str(each) for each in leaving)
    step.metadata["leaving"] = len(ids)
    with step.warehouse.read() as connection:
        lately = sum(deactivated_lately(connection, kind, step.now).values())
    allowed = check_deactivation_limit(Leaving(kind, active, ids, lately), step.rules, step.overrides)
    for scope, number in ({"": len(ids)} if parts is None else parts).items():
        if number:
            note = partial(note_deactivations, kind=kind, number=number, scope=scope, allowed=allowed)
            step.on_commit(partial(note, run_id=step.context.run.run_id, now=step.now))
