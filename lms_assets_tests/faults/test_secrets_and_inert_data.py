"""Nothing secret or personal in what a chain says, whatever goes wrong; and vendor data that is only data."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.sandbox import IMPARTNER_KEY, NORTHPASS_KEY
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import SMALL, ChainHarness

pytestmark = pytest.mark.slow
DIARIES = (
    "sync_logs",
    "sync_failures",
    "task_chain_logs",
    "task_run_history",
    "alert_incidents",
    "sync_state",
    "partner_push_log",
    "partner_push_answers",
)
NASTY = (
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "Robert'); DROP TABLE partners;--",
    "{{ 7 * 7 }} ${jndi:ldap://example.com/a}",
    "%s %(name)s {0} \\u202egnirts",
)


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(SMALL) as running:
        yield running


def personal_and_secret(sandbox: SandboxHandle) -> set[str]:
    """Every key, and every e-mail address and full name of a person in either vendor's data."""
    vendor_state = sandbox.vendor_state
    people = [
        (each.email, each.first_name, each.last_name)
        for each in (*vendor_state.people.values(), *vendor_state.users.values())
    ]
    found = {NORTHPASS_KEY, IMPARTNER_KEY}
    for email, first, last in people:
        if email and "@" in email:
            found |= {email.strip(), email.strip().lower()}
        if first and last and len(first) > 2 and len(last) > 2:
            found.add(f"{first} {last}")
    return found


FAULTS = (
    ("wrong_type", "GET /people", {"field": "attributes.disabled", "row": 3}),
    ("missing_field", "GET /User", {"field": "id", "row": 5}),
    ("wrong_type", "GET /groups", {"field": "attributes.name", "row": 2}),
    ("null_field", "GET /Account", {"field": "id", "row": 1}),
    ("wrong_type", "GET /transcripts/*", {"field": "attributes.completed_at", "value": "yesterday"}),
)
REFUSALS = (("patch_records_fail", "PATCH /Account", {}),)


@pytest.mark.parametrize("disturbed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_nothing_secret_or_personal_is_in_what_a_chain_says(
    sandbox: SandboxHandle,
    tmp_path: Path,
    disturbed: bool,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its log, its events and metadata, what it prints, and its diaries in the database."""
    caplog.set_level(logging.DEBUG)
    harness = ChainHarness(tmp_path, sandbox)
    runs = []
    for together in (FAULTS, REFUSALS) if disturbed else ((),):
        sandbox.faults.reset()
        for kind, endpoint, options in together:
            sandbox.faults.add(kind, endpoint, options=options)
        runs.append(harness.run())
        assert all(fault["hits"] for fault in sandbox.faults.listing())
    if disturbed:
        for kind in ("server_error", "html_page", "unauthorized"):
            sandbox.faults.reset()
            sandbox.faults.add(kind, "*")
            runs.append(harness.run())
    printed = capfd.readouterr()
    events = [repr(entry) for run in runs for entry in harness.instance.all_logs(run.run_id)]
    assert len(events) > 50
    said = "\n".join(
        [
            printed.out,
            printed.err,
            caplog.text,
            *events,
            *(repr(event) for run in runs for event in run.events),
            *(repr(row) for table in DIARIES for row in harness.rows(table)),
        ]
    )
    assert sorted(each for each in personal_and_secret(sandbox) if each in said) == []
    harness.close()


def test_formulas_markup_and_sql_in_vendor_data_are_stored_unchanged_and_do_nothing(
    sandbox: SandboxHandle, tmp_path: Path
) -> None:
    accounts = {}
    for number, nasty in enumerate(NASTY):
        accounts[nasty] = int(sandbox.mutate("add_account", name=nasty))
        group = str(sandbox.mutate("add_group", name=nasty, account=accounts[nasty]))
        person = sandbox.mutate("add_person", email=f"nasty{number}@example.com", first_name=nasty, last_name=nasty)
        sandbox.mutate("add_member", group=group, person=person)
        sandbox.mutate("add_contact", email=f"inert{number}@example.com", account=accounts[nasty], first=nasty)
    harness = ChainHarness(tmp_path, sandbox)
    result = harness.run()
    assert result.success, result.errors
    assert set(NASTY) <= {row["account_name"] for row in harness.rows("partners")}
    assert set(NASTY) <= {row["name"] for row in harness.rows("lms_groups")}
    assert set(NASTY) <= {row["first_name"] for row in harness.rows("lms_users")}
    assert differences(harness) == []
    assert {sandbox.vendor_state.accounts[number].lms_group_name for number in accounts.values()} <= {None, *NASTY}
    harness.close()
