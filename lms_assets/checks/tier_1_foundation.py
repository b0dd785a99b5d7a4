"""Checks of tier 1: courses, their points, partners and contacts are there, whole and recent."""

from __future__ import annotations

from dataclasses import replace

from lms_assets.checks.base import Look, blocking, present, unless_allowed, warning
from lms_assets.domain.counting.push_plan import drift_text
from lms_assets.domain.records.contacts import DUPLICATE_EMAIL
from lms_assets.domain.rules import SUDDEN_FALL_SHARE
from lms_assets.domain.safety.check_results import CheckResult, at_least, no_sudden_fall, none_of
from lms_assets.domain.safety.overrides import FALL_CERTIFICATIONS
from lms_assets.redaction import scrub
from lms_assets.warehouse.reading.foundation import stored_courses, stored_partners
from lms_assets.warehouse.reading.whole import duplicate_values
from lms_assets.warehouse.state.baselines import certifications_before
from lms_assets.warehouse.state.pushed_values import crm_drift, fields_not_shown

DRIFT_REMEDIES = {
    "resend": "The next push sends our values again. Who, or which workflow of the CRM, changed them?",
    "report": "The rule crm_drift is report, so they stay. lms-assets push retry PARTNER sends our values again.",
}
HIDDEN = "Look at the fields in the CRM and at what the key may read: lms-assets reconcile, lms-assets preflight."


def certifications_are_present(look: Look) -> CheckResult:
    """Some courses are certifications; else all counts are 0."""
    certifications = [course for course in stored_courses(look.connection) if course.is_certification]
    return at_least(len(certifications), 1, "certifications", "Look at the NPCU property of the courses in Northpass.")


def certifications_did_not_vanish(look: Look) -> CheckResult:
    """The number of certifications has not collapsed."""
    now = sum(course.is_certification for course in stored_courses(look.connection))
    before = certifications_before(look.connection)
    remedy = "Were points removed in Northpass?"
    fall = no_sudden_fall(before, now, share=SUDDEN_FALL_SHARE, minimum=5, what="certifications", remedy=remedy)
    return unless_allowed(look, FALL_CERTIFICATIONS, fall)


def npcu_is_valid(look: Look) -> CheckResult:
    """Every NPCU at the source is 0, 1 or 2; anything else counts as 0."""
    odd = [f"{course.id}: {course.npcu_problem}" for course in stored_courses(look.connection) if course.npcu_problem]
    return none_of(odd, "courses whose NPCU is not 0, 1 or 2", "They count as 0; correct the property in Northpass.")


def certifications_have_a_category(look: Look) -> CheckResult:
    """Every certification counts in some category."""
    without = [
        f"{course.id}: {course.name}"
        for course in stored_courses(look.connection)
        if course.is_certification and course.category is None
    ]
    remedy = "They count in total NPCU only; add a pattern to certification_category_rules."
    return none_of(without, "certifications without a category", remedy)


def partner_crm_ids_are_unique(look: Look) -> CheckResult:
    """No two active partners are the same CRM account."""
    doubles = [str(each) for each in duplicate_values(look.connection, "partners", "impartner_id")]
    remedy = "Deactivate the row that the portal does not use, or clear its impartner_id."
    return none_of(doubles, "CRM accounts that are several active partners", remedy)


def partners_have_crm_ids(look: Look) -> CheckResult:
    """Every active partner is known to the CRM, so its counts can be sent."""
    without = [str(row.id) for row in stored_partners(look.connection) if row.is_active and row.impartner_id is None]
    return none_of(without, "active partners without a CRM id", "Is the account still in the CRM?")


def crm_shows_our_counts(look: Look) -> CheckResult:
    """The CRM shows in each field what it last confirmed to us."""
    names = {each.impartner_id: each.account_name for each in stored_partners(look.connection)}
    told = [scrub(drift_text(each, names.get(each.impartner_id))) for each in crm_drift(look.connection)]
    found = none_of(
        told, "fields whose value in the CRM is not the confirmed one", DRIFT_REMEDIES[look.rules.crm_drift]
    )
    hidden = ", ".join(sorted(fields_not_shown(look.connection)))
    if not hidden:
        return found
    text = f"not compared: {hidden}, which the CRM showed for no account (all emptied, or not readable with this key)"
    return replace(found, passed=False, description=f"{found.description}; {text}", remedy=found.remedy or HIDDEN)


def contact_emails_are_unique(look: Look) -> CheckResult:
    """No two contacts of the CRM that count have the same e-mail."""
    doubles = [
        f"contact {each.entity_id}: {each.reason}"
        for each in look.failures("contacts")
        if each.entity_type == DUPLICATE_EMAIL
    ]
    remedy = "The person counts for the partner of each of them; the table contacts holds one. Merge them in the CRM."
    return none_of(doubles, "CRM contacts have the e-mail of another one", remedy)


CHECKS = (
    present("courses", "courses", blocking=True),
    blocking("course_npcu", certifications_are_present),
    blocking("course_npcu", certifications_did_not_vanish),
    warning("course_npcu", npcu_is_valid),
    warning("course_npcu", certifications_have_a_category),
    present("partners", "active partners", active=True, blocking=True),
    blocking("partners", partner_crm_ids_are_unique),
    warning("partners", partners_have_crm_ids),
    warning("partners", crm_shows_our_counts),
    present("contacts", "active contacts", active=True, blocking=True),
    warning("contacts", contact_emails_are_unique),
)
