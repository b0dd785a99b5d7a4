"""Checks of tier 4: the counts can be believed, and the CRM has them."""

from __future__ import annotations

from functools import partial

from lms_assets.checks.base import TOO_OLD, Look, blocking, check, unless_allowed, warning
from lms_assets.domain.counting.rule_change import total_npcu
from lms_assets.domain.rules import SUDDEN_FALL_SHARE
from lms_assets.domain.safety.check_results import CheckResult, after_a_rule_change, no_sudden_fall, none_of, recent
from lms_assets.domain.safety.overrides import FALL_NPCU
from lms_assets.domain.safety.withheld import named
from lms_assets.domain.schedule import CHAIN
from lms_assets.warehouse.reading.rule_change import counts_before_rules_changed
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.results.counts import last_counted, note_recount, stored_counts
from lms_assets.warehouse.state.baselines import npcu_pushed_before
from lms_assets.warehouse.state.pushed_values import push_memory

PLAUSIBLE_FALL_MINIMUM = 20


def counts_are_plausible(look: Look) -> CheckResult:
    """Total NPCU has not fallen suddenly since the last counting.

    Judges the change that comes from data; the change that comes from rules since the last push is shown beside it.
    """
    now = sum(row["total_npcu"] or 0 for row in stored_counts(look.connection).values())
    before = npcu_pushed_before(look.connection)
    by_rules = _moved_by_rules(look, now) if before is not None else 0
    remedy = "Nothing is pushed. Look at partner_cert_counts (moved_most) and at lms-assets why PARTNER."
    fall = no_sudden_fall(
        before,
        now - by_rules,
        share=SUDDEN_FALL_SHARE,
        minimum=PLAUSIBLE_FALL_MINIMUM,
        what="Total NPCU",
        remedy=remedy,
    )
    if by_rules and before is not None:
        fall = after_a_rule_change(fall, before, now, by_rules)
    return unless_allowed(look, FALL_NPCU, fall)


def _moved_by_rules(look: Look, now: int) -> int:
    """How much of the NPCU counted now comes from rules that changed since the last push: 0 without a change."""
    counted = last_counted(look.connection)
    if counted is None:
        return 0
    by_old_rules = counts_before_rules_changed(look.connection, "pushed", look.rules, counted.as_of)
    return 0 if by_old_rules is None else now - total_npcu(by_old_rules.values())


def counts_are_recent(look: Look) -> CheckResult:
    """The counts are recent enough to be sent and reported."""
    counted = last_counted(look.connection)
    return recent(counted.as_of if counted else None, look.now, TOO_OLD, "Counts")


def counts_equal_a_recount(look: Look) -> CheckResult:
    """A second method, on the stored rows, counts the same for every partner.

    Raises what keeps the recount from being made, which holds the push back.
    """
    from lms_assets.warehouse.reading.recount_comparison import recount_differences

    counted = last_counted(look.connection)
    found = recount_differences(look.connection, look.rules, counted.as_of) if counted else {}
    look.notes.append(partial(note_recount, found=found, run_id=look.run_id, now=look.now))
    remedy = (
        "They are not pushed; the others are. If the data changed since the counting: run push_to_impartner, which "
        "counts again. If two methods disagree, one of them is wrong: lms-assets why PARTNER shows what is counted."
    )
    differing = named({partner_id: (reason,) for partner_id, reason in found.items()})
    return none_of(differing, "partners whose recount differs", remedy)


def push_is_confirmed(look: Look) -> CheckResult:
    """The CRM confirmed every value that was sent."""
    entry = look.latest("pushed_partner_cert_counts")
    remedy = "They are tried again at the next push; the reason is in sync_failures."
    if entry is None or entry.status != "completed":
        reason = (entry.error_message if entry else None) or "it has not run"
        return CheckResult(False, f"The last push failed: {reason}", remedy=remedy)
    refused = [
        f"account {each.impartner_id}: {each.last_error}"
        for each in push_memory(look.connection).values()
        if each.failed_attempts
    ]
    return none_of(refused, "accounts whose values the CRM did not accept", remedy)


def no_partner_is_withheld(look: Look) -> CheckResult:
    """Everything that the pushed counts are based on was read."""
    remedy = (
        f"Their counts may be wrong and are not sent; the CRM keeps what it has. Run {CHAIN}: they are sent once "
        "everything they rest on was read. memberships_are_current and transcripts_were_all_read say what failed."
    )
    withheld = named(withheld_partners(look.connection, look.rules))
    return none_of(withheld, "partners not pushed, because something was not read yet", remedy)


CHECKS = (
    blocking("partner_cert_counts", counts_are_plausible),
    blocking("partner_cert_counts", counts_are_recent),
    # Withholds the partners that differ; blocks the whole push when the recount cannot be made.
    warning("partner_cert_counts", counts_equal_a_recount, costs_counts=True, read_again=True),
    check("pushed_partner_cert_counts", push_is_confirmed, degrades=True),
    warning("pushed_partner_cert_counts", no_partner_is_withheld, costs_counts=True),
)
