"""The end of a run in the terminal: what stopped it, and the command that goes on."""

from __future__ import annotations

from io import StringIO

import dagster as dg
import pytest
from rich.console import Console

from lms_assets.console.running import summary

COMMAND = "lms-assets run daily_full --resume --allow fall:certifications"


def evaluation(name: str, *, blocking: bool) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("course_npcu"),
        check_name=name,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        blocking=blocking,
        description="certifications: 52, 5,000 before",
        metadata={"what_to_do": dg.MetadataValue.text(f"Were points removed? Only if it is right: {COMMAND}")},
    )


def test_a_blocking_check_that_failed_is_shown_with_the_command_that_goes_on(monkeypatch: pytest.MonkeyPatch):
    found = [evaluation("certifications_did_not_vanish", blocking=True), evaluation("npcu_is_valid", blocking=False)]
    monkeypatch.setattr(summary, "_checks", lambda _instance, _run_id: found)
    written = StringIO()
    with dg.DagsterInstance.ephemeral() as instance:
        summary._print_failed_checks(Console(file=written, width=60), instance, "run")
    lines = written.getvalue().splitlines()
    assert sum(COMMAND in line for line in lines) == 1, "on one line, to be copied; warnings have their page"


@pytest.mark.parametrize(
    ("push", "said"),
    [
        ({"sent": 1, "differing": 1, "confirmed": 1, "failed": 0}, "Push: 1 partner sent, 1 confirmed, 0 failed"),
        ({"sent": 2, "differing": 2, "confirmed": 1, "failed": 1}, "Push: 2 partners sent, 1 confirmed, 1 failed"),
        ({"dry_run": True, "differing": 1}, "Push: dry run, 1 partner differs and nothing was sent"),
    ],
)
def test_one_partner_is_not_called_partners(push: dict[str, object], said: str):
    written = StringIO()
    summary._print_push(Console(file=written, width=80), push)
    assert written.getvalue().strip() == said
