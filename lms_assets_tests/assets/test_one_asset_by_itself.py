"""One asset started by itself, as the UI's button does: it re-evaluates the blocking checks before it."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from lms_assets.warehouse.schema.tables import lms_users
from lms_assets_tests.harness.chain import STAMPS, ChainHarness

IN_JOBS = [
    ("enrollments_incremental", "enrollments"),
    ("enrollments_incremental", "partner_certifications"),
    ("enrollments_incremental", "partner_cert_counts"),
    ("push_to_impartner", "pushed_partner_cert_counts"),
]


@pytest.mark.parametrize(("job", "asset"), IN_JOBS)
def test_it_goes_through_on_good_data(synced: ChainHarness, job: str, asset: str) -> None:
    result = synced.run(job, assets=(asset,), alone=True)
    assert result.success, result.errors


@pytest.mark.parametrize(("job", "asset"), IN_JOBS)
def test_it_writes_and_sends_nothing_on_data_that_a_blocking_check_would_refuse(
    synced: ChainHarness, job: str, asset: str
) -> None:
    person = next(row["user_id"] for row in synced.rows("lms_enrollments") if row["status"] == "completed")
    course = next(row["id"] for row in synced.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")
    synced.sandbox.mutate("complete_course", person=person, course=course)
    with synced.warehouse.transaction() as connection:
        connection.execute(update(lms_users).values(is_active=False, status="deactivated"))
    before, stamps, ledger = synced.tables(), _stamps(synced), synced.rows("partner_certifications")
    synced.sandbox.reset_stats()
    result = synced.run(job, assets=(asset,), alone=True)
    assert "users_are_present" in result.errors[asset]
    assert "was blocked" in result.errors[asset]
    assert synced.tables() == before
    assert (_stamps(synced), synced.rows("partner_certifications")) == (stamps, ledger)
    asked = synced.sandbox.stats()
    assert not asked["northpass"]["by_endpoint"]
    assert not asked["impartner"]["by_endpoint"]


def _stamps(harness: ChainHarness) -> list[tuple[object, ...]]:
    """When each row of the counts and enrollments was written: the same again when nothing was."""
    return [
        tuple(row[name] for name in sorted(STAMPS & set(row)))
        for table in ("partners", "partner_cert_history", "lms_enrollments", "pushed_partner_counts")
        for row in harness.rows(table)
    ]


def test_it_goes_through_where_the_person_who_starts_it_allows_the_fall(synced: ChainHarness) -> None:
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE sync_state SET value = '5000' WHERE name = 'certifications_when_last_counted'"
        )
    refused = synced.run("enrollments_incremental", assets=("partner_cert_counts",), alone=True)
    assert "certifications_did_not_vanish" in refused.errors["partner_cert_counts"]
    command = "lms-assets run enrollments_incremental --allow fall:certifications"
    assert command in refused.errors["partner_cert_counts"]
    fall = ("fall:certifications",)
    allowed = synced.run("enrollments_incremental", assets=("partner_cert_counts",), alone=True, allow=fall)
    assert allowed.success, allowed.errors
