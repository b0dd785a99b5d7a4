"""Rows that a listing lacks: asked for by themselves before anything follows from it, and never too many at once.

Source: domain rules, deletions. A row that answers proves that the listing was incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lms_assets.assets.intake import Intake
from lms_assets.assets.step import Step
from lms_assets.domain.deletions import check_fuse, fuse_limit
from lms_assets.vendors.errors import VendorError
from lms_assets.vendors.impartner import ImpartnerClient
from lms_assets.vendors.northpass import NorthpassClient

SAMPLE = 20


def confirm_crm_absences(
    intake: Intake[Any], client: ImpartnerClient, object_name: str, absent: Iterable[int]
) -> set[int]:
    """Of the Impartner ids that a listing lacks, those that are really gone; none when the listing was incomplete."""
    wanted = set(absent)
    if not intake.complete or not wanted:
        return set()
    still_there = set(client.by_ids(object_name, sorted(wanted), ["Id"]))
    if still_there:
        intake.proven_incomplete(f"{len(still_there)} records that the listing lacks are still there when asked for")
        return set()
    return wanted


def confirm_lms_absences(
    step: Step,
    intake: Intake[Any],
    client: NorthpassClient,
    absent: Sequence[str],
    ask: Callable[[str], object | None],
    active: int,
) -> set[str]:
    """Of the LMS ids that a listing lacks, those that answer 404; none when the listing was incomplete.

    One that answers ends the asking. More than the fuse allows are asked for by a sample first: when none of it
    answers they are taken as they are, for the fuse to judge, unless the fuse may be passed.

    Raises:
        VendorError: some could not be asked.
    """
    if not intake.complete or not absent:
        return set()
    beyond_fuse = len(absent) > fuse_limit(active, step.rules) and not step.mass_deactivation_allowed
    asked = absent[:: max(1, len(absent) // SAMPLE)][:SAMPLE] if beyond_fuse else absent
    for done, (_, answer) in enumerate(client.for_each(asked, ask), start=1):
        step.progress(f"missing {step.key} asked for", done, len(asked))
        if isinstance(answer, VendorError):
            raise answer
        if answer is not None:
            intake.proven_incomplete("a record that the listing lacks is still there when asked for")
            return set()
    return set(absent)


def stop_if_too_many(step: Step, entity: str, active: int, leaving: Iterable[object]) -> None:
    """The fuse: refuse to deactivate more than the set share of what is active, before anything is written.

    Raises:
        MassDeactivationStopped: unless the person who started the run allowed it.
    """
    ids = sorted(str(each) for each in leaving)
    step.metadata["leaving"] = len(ids)
    check_fuse(entity, active, ids, step.rules, step.mass_deactivation_allowed)
