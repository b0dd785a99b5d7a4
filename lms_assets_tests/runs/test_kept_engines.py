"""Dagster's event files are written through one engine each, and nothing is lost by it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import dagster as dg
import pytest

from lms_assets.runs import execution
from lms_assets.runs.dagster_internals import SQLITE_EVENTS


@dg.asset
def one() -> None:
    """Nothing."""


def test_each_event_file_has_one_engine_and_holds_all_its_events(monkeypatch: pytest.MonkeyPatch):
    module: Any = import_module(SQLITE_EVENTS)
    create, made = module.create_engine, []

    def counted(url: str, **options: Any) -> Any:
        made.append(url)
        return create(url, **options)

    monkeypatch.setattr(module, "create_engine", counted)
    monkeypatch.setattr(execution, "MOST", 2)
    execution.keep_engines()
    execution.keep_engines()
    with dg.instance_for_test() as instance:
        runs = [dg.materialize([one], instance=instance).run_id for _ in range(3)]
        assert len(made) == len({*made}) == 1 + len(runs), "of the index and of each run"
        for run in runs:
            assert instance.all_logs(run)[-1].dagster_event_type == dg.DagsterEventType.RUN_SUCCESS
            assert instance.get_latest_materialization_event(one.key).run_id == runs[-1]
