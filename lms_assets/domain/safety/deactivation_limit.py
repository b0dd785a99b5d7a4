"""What may be deactivated, and what stops a sync before it writes: the deactivation limit, the share of bad records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.overrides import Overrides, mass_deactivation

SAMPLE_SIZE = 20

Id = TypeVar("Id", int, str, tuple[str, str])


COMMAND = "mass_deactivation_command"


class SyncStopped(Exception):
    """A sync must not write what it has. The text is for people: what, how much, what to do; ids only.

    `facts`: what a program needs to know of it, by name; stored with the sync's failure.
    """

    facts: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Leaving:
    """Rows of one kind that a sync is about to deactivate or remove, of `active` ones.

    `lately`: how many left in the 24 hours before, in other runs and without an override. `scope`: a part of the kind
    that is judged by itself, such as one group.
    """

    kind: str
    active: int
    ids: Collection[Any]
    lately: int = 0
    scope: str = ""


class MassDeactivationStopped(SyncStopped):
    """More rows would leave than the deactivation limit allows. `sample` holds at most 20 ids; `command` allows it."""

    def __init__(self, leaving: Leaving, limit: int, command: str) -> None:
        self.leaving = leaving
        self.limit = limit
        self.command = command
        self.facts = {COMMAND: command}
        ids = sorted(leaving.ids, key=lambda each: (str(type(each)), each))
        self.sample = tuple(ids[:SAMPLE_SIZE])
        shown = ", ".join(str(each) for each in self.sample)
        more = f" and {len(ids) - len(self.sample)} more" if len(ids) > len(self.sample) else ""
        where = f" of {leaving.scope}" if leaving.scope else ""
        before = f", and {leaving.lately} left in the last 24 hours" if leaving.lately else ""
        super().__init__(
            f"{len(ids)} of {leaving.active} active {leaving.kind}{where} would be deactivated{before}. "
            f"The deactivation limit is {limit} in 24 hours. Nothing was written. Ids: {shown}{more}. "
            f"Look at the source. Only if they are really gone: {command}"
        )


class TooManyBadRecords(SyncStopped):
    """More records could not be read than the rules allow."""

    def __init__(self, entity: str, total: int, bad: int, limit: int) -> None:
        self.entity = entity
        self.total = total
        self.bad = bad
        self.limit = limit
        super().__init__(
            f"{entity}: {bad} of {total} records could not be read, more than the {limit} allowed. Nothing was "
            "written. The reasons are in sync_failures; where the vendor changed a field, the reader must follow."
        )


def most_deactivations(active: int, rules: Rules) -> int:
    """How many of `active` rows may leave within 24 hours: the set share, or the minimum where that is more.

    "More than a set share (5 %, at least 10 rows)" (domain rules, deletions): of 1,000 rows 50 may leave and 51 not;
    of 60 rows 10 may and 11 not. The share is taken exactly and cut to whole rows.
    """
    return max(rules.mass_deactivation_minimum, _share_of(active, rules.mass_deactivation_share))


def check_deactivation_limit(leaving: Leaving, rules: Rules, overrides: Overrides) -> bool:
    """Raise `MassDeactivationStopped` when more rows would have left within 24 hours than `most_deactivations` allows.

    The share is one of the rows that were active before those of the last 24 hours left. Gives whether an override was
    used. Call it before the transaction; for memberships once a group and once for all together.
    """
    limit = most_deactivations(leaving.active + leaving.lately, rules)
    if not leaving.ids or len(leaving.ids) + leaving.lately <= limit:
        return False
    what = mass_deactivation(leaving.kind)
    if not overrides.allows(what, len(leaving.ids), leaving.scope):
        raise MassDeactivationStopped(leaving, limit, overrides.command(what))
    return True


def check_bad_records(entity: str, total: int, bad: int, rules: Rules) -> None:
    """Raise `TooManyBadRecords` when more of `total` records are bad than the set share, and more than
    `bad_record_minimum`: one odd record in a short listing must not stop the rest.
    """
    limit = max(rules.bad_record_minimum, _share_of(total, rules.bad_record_share))
    if bad > limit:
        raise TooManyBadRecords(entity, total, bad, limit)


def _share_of(total: int, share: float) -> int:
    return int(Decimal(str(share)) * total)
