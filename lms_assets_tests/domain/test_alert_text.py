"""What a message to people says in its title, and where it sends them."""

from __future__ import annotations

import pytest

from lms_assets.domain.operations.incident import begun
from lms_assets_tests.harness.incidents import an_incident

UI = "https://ui.example"


@pytest.mark.parametrize(("length", "shown"), [(120, "x" * 120), (121, "x" * 119 + "…"), (500, "x" * 119 + "…")])
def test_a_title_has_at_most_120_characters_of_what_happened(length, shown):
    assert begun(an_incident(what="x" * length), UI).title == f"lms-assets: {shown}"


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"run_id": "run-1", "assets": ("users",)}, f"{UI}/runs/run-1"),
        ({"assets": ("users", "courses")}, f"{UI}/assets/users"),
        ({}, f"{UI}/overview"),
    ],
)
def test_a_message_sends_people_to_the_run_else_to_the_first_asset(fields, link):
    assert f"Look here: {link}" in begun(an_incident(**fields), UI).body.splitlines()


@pytest.mark.parametrize(
    ("fields", "section"),
    [
        ({"kind": "check", "key": "check/courses/courses_are_present"}, "courses_are_present"),
        ({"kind": "warning", "key": "warning/leads/leads_are_all_readable"}, "leads_are_all_readable"),
        ({"kind": "reports_blocked", "key": "job/weekly_reports"}, "reports_blocked"),
    ],
)
def test_a_message_ends_with_its_section_of_the_runbook(fields, section):
    last = [
        begun(an_incident(**fields), UI, docs).body.splitlines()[-1] for docs in (None, "https://docs.example/lms/")
    ]
    assert last == [f"Runbook: docs/runbook.md#{section}", f"Runbook: https://docs.example/lms/runbook.html#{section}"]
