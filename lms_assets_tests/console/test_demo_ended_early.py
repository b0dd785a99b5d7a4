"""Ctrl-C in the middle of the demo's chain ends the demo; no UI opens."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from io import StringIO
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from lms_assets.console.commands import demo
from lms_assets.console.running import runner
from lms_assets.console.running.run import RunOptions
from lms_assets_tests.harness.quick_instance import quick_instance


@dg.op
def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()


@dg.op
def failing() -> None:
    raise ValueError("not interrupted")


@pytest.mark.parametrize(("op", "expected"), [(interrupted, True), (failing, False)])
def test_a_run_that_ctrl_c_ended_is_told_from_one_that_failed(op: dg.OpDefinition, expected: bool, tmp_path: Path):
    instance = quick_instance(tmp_path)
    run = dg.GraphDefinition("one", node_defs=[op]).execute_in_process(instance=instance, raise_on_error=False)
    assert not run.success
    assert runner._result(instance, run.run_id, run.success).interrupted is expected
    instance.dispose()


def test_the_demo_ends_and_says_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMS_WAREHOUSE_URL", f"sqlite:///{tmp_path / 'warehouse.db'}")
    monkeypatch.setattr(demo, "end_like_by_ctrl_c", lambda: None)
    monkeypatch.setattr(demo.demo_environment, "enter", lambda *_: None)
    monkeypatch.setattr(demo, "_prepare_home", lambda _: None)
    monkeypatch.setattr(demo, "_sandbox", lambda *_: nullcontext())
    monkeypatch.setattr(demo, "_serve_ui", lambda _: pytest.fail("the UI opened"))
    asked: list[str] = []

    def run(options: RunOptions, _: Console) -> int:
        asked.append(options.job)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_command", run)
    said = StringIO()
    assert demo.demo_command(Console(file=said, width=40), exit_after_summary=False, scale=0.01) == demo.FAILED
    assert asked == ["daily_full"]
    assert "What was read stays in .demo/, and the next demo continues from it." in said.getvalue()
