"""The deactivation limit as every sync applies it, before it writes anything. Source: domain rules, deletions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from lms_assets.assets.sync_run import Step
from lms_assets.domain.safety.deactivation_limit import Leaving, check_deactivation_limit, most_deactivations
from lms_assets.domain.safety.overrides import mass_deactivation
from lms_assets.warehouse.state.deactivations import deactivated_lately, note_deactivations


def sample_beyond(step: Step, kind: str, active: int) -> int | None:
    """Of more rows than this a sample is asked for by id: they are above the limit, which stops them in any case.

    None when an override of this run lets them go: then each is asked for.
    """
    return None if mass_deactivation(kind) in step.overrides else most_deactivations(active, step.rules)


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
            step.on_commit(partial(note, run_id=step.run.run_id, now=step.now))
