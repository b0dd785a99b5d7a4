"""The judge of random histories sees what it is there for: each wrong is done by hand after one good chain."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from lms_assets.assets import run_order
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets.warehouse.results.counts import last_counted, note_counted_without_all, write_counts
from lms_assets.warehouse.schema.tables import partners
from lms_assets_tests.faults.judge import Ending, Judge
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import after_first_chain


@pytest.mark.slow
def test_it_names_a_count_that_is_not_the_last_counted_impossible_withheld_or_older(quick_folder: Path) -> None:
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(quick_folder, sandbox)
        judge = Judge(harness)
        after_first_chain().restore(harness)
        assert judge.correct_and_compare() == []
        row = next(each for each in harness.rows("partners") if each["is_active"] and each["total_npcu"])
        number, right = row["impartner_id"], row["total_npcu"]
        failed = Ending("failed")

        judge.look()
        assert judge.found("daily_full", failed) == []

        sandbox.mutate("set_account", account=number, fields={"total_npcu": right + 1})
        (found,) = [each for each in judge.found("daily_full", failed) if "last" in each]
        assert found.startswith(f"account {number} shows ")

        with harness.warehouse.transaction() as connection:
            connection.execute(update(partners).where(partners.c.id == row["id"]).values(total_npcu=right + 1))
        assert judge.found("daily_full", failed) == [
            f"account {number}: total_npcu is {right + 1}, not {right} to {right}",
            f"ledger of partner {row['id']} at {harness.now}",
        ]

        with harness.warehouse.transaction() as connection:
            note_counted_without_all(connection, [row["id"]], now=harness.now)
        assert f"account {number} got counts though it is withheld" in judge.found("daily_full", failed)[0]

        with harness.warehouse.transaction() as connection:
            counted = last_counted(connection)
            assert counted is not None
            write_counts(connection, [], as_of=counted.as_of - timedelta(hours=1), now=harness.now)
        assert judge.found("daily_full", failed)[0].startswith("counted as of ")

        sandbox.mutate("set_account", account=number, fields={"total_npcu": right})
        harness.run()
        with harness.warehouse.transaction() as connection:
            connection.execute(update(partners).where(partners.c.id == row["id"]).values(is_active=False))
        assert f"partners wrongly taken away: [{number}]" in judge.found("daily_full", failed)
        harness.close()


def test_a_run_of_minutes_by_a_clock_that_stands_still_is_as_of_the_right_instant(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_order, "time", SimpleNamespace(time=lambda: time.time() + 120))
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(quick_folder, sandbox)
        result = harness.run(assets=("partner_certifications",), alone=True)
        assert not [error for error in result.errors.values() if "wrong instant" in error]
        harness.close()
