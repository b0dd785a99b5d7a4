"""What is to be written of the ledger of certifications, and of the counts that are its sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lms_assets.domain.counting.certifications import Affiliation, Assessed, PartnerCounts
from lms_assets.domain.counting.ledger import deciding, fingerprint


@dataclass(frozen=True)
class Ledger:
    """What the ledger stands on.

    Attributes:
        as_of: the instant of its newest counting; written_at: when what it rests on was read.
        without_all: partners judged before everything they rest on was read.
        people: partner row id to its number of partner users.
        since: the first instant as of which the ledger can be read.
    """

    as_of: datetime
    written_at: datetime
    without_all: tuple[int, ...] = ()
    people: Mapping[int, int] = field(default_factory=dict)
    since: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether the ledger says what was known at an instant."""
        return self.since is not None and self.since <= at.replace(microsecond=0) <= self.as_of


@dataclass(frozen=True)
class LedgerPlan:
    """What the ledger is to say.

    Attributes:
        rows: its open rows by their fingerprint.
        affiliations: everybody whom a group or contact connects to a partner.
        newest: as of when the ledger stood when this was judged (UTC); None before its first counting.
    """

    ledger: Ledger
    rows: Mapping[str, Assessed]
    affiliations: Sequence[Affiliation]
    newest: datetime | None


def plan_ledger(
    affiliations: Sequence[Affiliation],
    assessed: Iterable[Assessed],
    *,
    at: datetime,
    read_at: datetime,
    withheld: Iterable[int] = (),
    before: Ledger | None = None,
) -> LedgerPlan:
    """Decide what the ledger says as of `at`.

    Args:
        assessed: what `assess` says of these affiliations at `at`, in its order.
        read_at: when that was read. All instants are UTC.
        withheld: row ids of partners of whom not everything was read.
        before: the ledger when that was read.
    """
    people = Counter(each.partner_id for each in affiliations if each.obstacle is None)
    rows = {fingerprint(item): item for item in deciding(assessed)}
    return LedgerPlan(
        Ledger(at, read_at, tuple(withheld), people), rows, affiliations, before.as_of if before else None
    )


@dataclass(frozen=True)
class Move:
    """How a partner's NPCU changes. `by_rules`: how much of it comes from changed rules; None: they are the same."""

    partner_id: int
    before: int
    now: int
    by_rules: int | None = None


@dataclass(frozen=True)
class CountPlan:
    """What is to be stored of the counts.

    Attributes:
        ledger: what they are the sums of.
        counts: by partner row id.
        moves: partners whose NPCU changes, the largest change first.
    """

    ledger: Ledger
    counts: Mapping[int, PartnerCounts]
    moves: tuple[Move, ...]


def plan_counts(
    ledger: Ledger,
    counts: Mapping[int, PartnerCounts],
    before: Mapping[int, int],
    by_old_rules: Mapping[int, PartnerCounts] | None = None,
) -> CountPlan:
    """Decide what is stored of the sums over the ledger.

    Args:
        before: partner row id to the stored NPCU.
        by_old_rules: the counts as the rules before would give them; None while the rules are the same.
    """
    moves = []
    for key, each in counts.items():
        by_rules = None
        if by_old_rules is not None:
            by_rules = each.total_npcu - (by_old_rules[key].total_npcu if key in by_old_rules else 0)
        if each.total_npcu != before.get(key, 0):
            moves.append(Move(key, before.get(key, 0), each.total_npcu, by_rules))
    return CountPlan(
        ledger, counts, tuple(sorted(moves, key=lambda move: (-abs(move.now - move.before), move.partner_id)))
    )
