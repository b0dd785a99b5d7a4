"""Results of checks: is the data there, whole, recent and plausible? The asset checks only wrap what stands here.

A result shows the exact count, a bounded sample of what is wrong, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lms_assets.domain.schedule import CHAIN

SAMPLE_SIZE = 20


@dataclass(frozen=True)
class CheckResult:
    """Whether something holds.

    Attributes:
        sample: at most 20 ids, never personal data.
        allow: the command that lets one run pass it, where there is one.
    """

    passed: bool
    description: str
    count: int | None = None
    sample: tuple[str, ...] = ()
    remedy: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    allow: str | None = None

    @property
    def what_to_do(self) -> str:
        """The remedy, and the command that allows it; empty when there is neither."""
        command = f"Only if it is right: {self.allow}" if self.allow else None
        return " ".join(each for each in (self.remedy, command) if each)


def at_least(count: int, minimum: int, what: str, remedy: str) -> CheckResult:
    """There are enough rows for the next tier to make sense.

    Args:
        count: rows that there are. minimum: rows that are needed. what: plural of what is counted.
    """
    passed = count >= minimum
    description = f"{what}: {count:,}" + ("" if passed else f"; needed: at least {minimum:,}")
    return CheckResult(passed, description, count, remedy=None if passed else remedy)


def none_of(offenders: Iterable[str], what: str, remedy: str) -> CheckResult:
    """Nothing is wrong; otherwise how many and which. `what` is a plural: "certifications without a category".

    Args:
        offenders: ids, no personal data; the first of them are shown.
    """
    found = sorted(offenders)
    if not found:
        return CheckResult(True, f"no {what}", 0)
    return CheckResult(False, f"{what}: {len(found):,}", len(found), tuple(found[:SAMPLE_SIZE]), remedy)


def recent(completed_at: datetime | None, now: datetime, max_age: timedelta, what: str) -> CheckResult:
    """The last good sync of a table is not older than `max_age`; both times are UTC."""
    remedy = f"Run {CHAIN} and look at why the last one did not complete: lms-assets status."
    if completed_at is None:
        return CheckResult(False, f"{what} have never been synced completely", remedy=remedy)
    hours = (now - completed_at) / timedelta(hours=1)
    passed = now - completed_at <= max_age
    description = f"{what} were last synced {hours:.1f} hours ago"
    if not passed:
        description += f"; more than {max_age / timedelta(hours=1):.0f} is too old to build on"
    return CheckResult(passed, description, remedy=None if passed else remedy, figures={"hours": round(hours, 2)})


def no_sudden_fall(
    before: int | None, after: int, *, share: float, minimum: int, what: str, remedy: str
) -> CheckResult:
    """A figure has not fallen by more than `share` (0 to 1) since the last run, falls of `minimum` or less aside.

    Args:
        before: the figure of the last run; None: there is none. after: that of this one.
    """
    if before is None:
        return CheckResult(True, f"{what}: {after:,}; there is no earlier figure", after, figures={"after": after})
    fall = before - after
    passed = fall <= max(minimum, share * before)
    description = f"{what}: {after:,}, {before:,} before"
    return CheckResult(
        passed, description, after, remedy=None if passed else remedy, figures={"before": before, "after": after}
    )


def after_a_rule_change(fall: CheckResult, before: int, after: int, by_rules: int) -> CheckResult:
    """A result of `no_sudden_fall` on what the data moved; what the rules moved is named beside it.

    Args:
        before, after: the figure at the last run and now.
        by_rules: how much of the movement comes from rules that changed in between.
    """
    by_data = after - by_rules - before
    description = f"Total NPCU: {after:,}, {before:,} before; {by_rules:+,} by changed rules, {by_data:+,} by data"
    figures = {"before": before, "after": after - by_rules, "by_rules": by_rules, "by_data": by_data}
    return replace(fall, description=description, count=after, figures=figures)
