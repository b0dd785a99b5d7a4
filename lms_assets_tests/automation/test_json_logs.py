"""LMS_LOG_FORMAT=json: each line of a run's log and of ours is one JSON object; without it nothing changes."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import json
import logging
from collections.abc import Iterator

import dagster as dg
import pytest

from lms_assets import definitions
from lms_assets.runs.json_logs import log_as_json


@dg.asset
def brief(context: dg.AssetExecutionContext) -> None:
    context.log.info("3 of 7 people")
    logging.getLogger("lms_assets.vendors").warning("asked again: %s", "503")


@pytest.fixture
def own_logger() -> Iterator[None]:
    """Leaves the program's logger as it was."""
    ours = logging.getLogger("lms_assets")
    before = list(ours.handlers), ours.level, ours.propagate
    yield
    ours.handlers[:], ours.level, ours.propagate = before


@pytest.mark.usefixtures("own_logger")
def test_a_run_and_the_program_log_one_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert definitions.defs
    monkeypatch.setenv("LMS_LOG_FORMAT", "json")
    with dg.instance_for_test() as instance:
        result = dg.materialize([brief], instance=instance)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    said = {line["message"]: line for line in lines}
    assert said["3 of 7 people"] | {"at": ""} == {
        "at": "",
        "level": "info",
        "logger": "dagster",
        "message": "3 of 7 people",
        "run_id": result.run_id,
        "job": "__ephemeral_asset_job__",
        "step": "brief",
    }
    assert said["asked again: 503"]["level"] == "warning"
    events = [line.get("event") for line in lines]
    assert "STEP_SUCCESS" in events
    assert not [event for event in events if event and event.endswith("_PLANNED")]


@pytest.mark.usefixtures("own_logger")
def test_without_it_nothing_changes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LMS_LOG_FORMAT", raising=False)
    before = list(logging.getLogger("lms_assets").handlers)
    log_as_json()
    assert logging.getLogger("lms_assets").handlers == before
