"""One registry: an asset that is added to `lineage.py` arrives everywhere, and a fact is written in one place."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from lms_assets.asset_specs import SPECS
from lms_assets.domain.safety.overrides import OVERRIDES
from lms_assets.domain.schedule import find_overdue
from lms_assets.lineage import ASSETS, CADENCES, ENTRIES
from lms_assets_tests.architecture import source

DEFAULTS = "lms_assets.domain.rules"
SCHEDULE = "lms_assets.domain.schedule"
LINEAGE = "lms_assets.lineage"
ADDED = """    Asset(
        key="badges",
        tier=TIER_3,
        deps=("users",),
        description="Badges of people.",
        table="lms_users",
        sync_type="sync_badges",
        cadence=NIGHTLY,
        jobs=(CHAIN, ENROLLMENTS_JOB, "badges_alone"),
        task="Badges of people",
        pool=NORTHPASS_POOL,
        records=("badge",),
        required=False,
    ),
"""
# Runs in a process of its own: every module builds its tables from the registry while it is imported.
SCRIPT = """
import json, sys, types
from pathlib import Path
import lms_assets
path = Path(lms_assets.__file__).parent / "lineage.py"
text = path.read_text(encoding="utf-8")
line = 'ScheduleEntry("badges_at_5", "badges_alone", (5,), "Badges of people.")'
text = text.replace("TIMETABLE = (", f"TIMETABLE = ({line}, ", 1)
head, end, tail = text.partition("\\n)\\n\\n# Everything below is derived.")
assert end, "the registry's end was not found"
module = sys.modules["lms_assets.lineage"] = types.ModuleType("lms_assets.lineage")
exec(compile(head + "\\n" + sys.argv[1].rstrip() + end + tail, str(path), "exec"), module.__dict__)
import dagster as dg
from lms_assets.assets.asset import asset_of
from lms_assets.automation.portal_tasks import TASKS
from lms_assets.console.running.run import PARTITIONED_JOBS
from lms_assets.definitions import defs
from lms_assets.lineage import ancestors, CADENCES, COVERED_BY_CHAIN, DAILY_FULL, NOT_REQUIRED
from lms_assets.checks.incidents import open_incidents_check
from lms_assets.runs.write_locks import groups_of

@asset_of("badges")
def badges(context: dg.AssetExecutionContext) -> None: ...

wider = dg.Definitions.merge(defs, dg.Definitions(assets=[badges]))
job = wider.resolve_job_def("daily_full")
task = next(task for task in TASKS if task.asset == "badges")
print(json.dumps({
    "in the chain": "badges" in {node.name for node in job.nodes},
    "in the other job": "badges" in {node.name for node in wider.resolve_job_def("enrollments_incremental").nodes},
    "step of the chain log": "badges" in DAILY_FULL,
    "chain goes on without it": "badges" in NOT_REQUIRED,
    "pool": sorted(badges.op.pools) if hasattr(badges.op, "pools") else badges.op.pool,
    "retried": badges.op.retry_policy is not None,
    "task": [task.task_type, task.name, [line.schedule for line in task.lines], task.chain_order],
    "groups": groups_of(["badges"]),
    "cadence": CADENCES["badges"].job,
    "fresh": wider.resolve_asset_graph().get(dg.AssetKey("badges")).freshness_policy is not None,
    "upstream": sorted(ancestors(("badges",))),
    "incidents shown": dg.AssetCheckKey(badges.key, "no_incident_is_open") in open_incidents_check.check_keys,
    "kinds of records": module.ENTRIES["badges"].records,
    "job of its own": "badges" in {node.name for node in wider.resolve_job_def("badges_alone").nodes},
    "schedule": wider.resolve_schedule_def("badges_at_5").cron_schedule,
}))
"""


def test_an_asset_that_is_added_to_the_registry_arrives_everywhere(tmp_path: Path):
    script = tmp_path / "wider.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, ADDED],
        capture_output=True, text=True, check=False, cwd=source.ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "in the chain": True,
        "in the other job": True,
        "step of the chain log": True,
        "chain goes on without it": True,
        "pool": ["northpass_api"],
        "retried": True,
        "task": [
            "sync_badges",
            "Badges of people",
            ["badges_at_5", "daily_full_at_2", "enrollments_every_4_hours"],
            12,
        ],
        "groups": ["learning"],
        "cadence": "daily_full",
        "fresh": True,
        "upstream": ["contacts", "partners", "users"],
        "incidents shown": True,
        "kinds of records": ["badge"],
        "job of its own": True,
        "schedule": "0 5 * * *",
    }


def test_what_is_overdue_is_found_for_every_asset_with_a_cadence():
    """The alert and the UI's freshness are derived from the same cadence."""
    long_ago, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC)
    late = find_overdue(dict.fromkeys(ENTRIES, long_ago), CADENCES, now)
    assert {asset for each in late for asset in each.assets} == set(CADENCES)
    assert [
        asset.key for asset in ASSETS if (SPECS[asset.key].freshness_policy is None) != (asset.cadence is None)
    ] == []


def test_every_limit_of_deactivations_is_of_an_asset():
    """`--allow mass_deactivation:<asset>` takes the name with which the step stops."""
    kinds = {name.partition(":")[2] for name in OVERRIDES if name.startswith("mass_deactivation:")}
    assert kinds <= set(ENTRIES)


def test_the_name_of_the_chain_stands_once_in_the_product():
    """Messages and tables take it from there."""
    found: list[str] = []
    for module in source.modules():
        if module.room != "sandbox":
            found += [f"{module.name}: {text}" for text in _texts(module.tree) if "daily_full" in text]
    # The second is the name of its schedule, by which a person's choice (on or off) is stored.
    assert found == [f"{SCHEDULE}: daily_full", f"{LINEAGE}: daily_full_at_2"], "\n".join(found)


def _texts(tree: ast.Module) -> list[str]:
    """The texts of a module but for its docstrings, the fixed parts of f-strings included."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def test_a_certification_s_months_and_the_fall_that_is_not_believed_stand_once():
    """Their numbers are in the rules' defaults; nobody else writes a 24 or a 0.2 for them."""
    suspects = {"months": 24, "share": 0.2}
    found = [
        f"{module.name}: {word}={node.value}"
        for module in source.modules()
        if module.room not in {"sandbox", "vendors"}
        for line in module.text.splitlines()
        for word, value in suspects.items()
        for node in _numbers(line)
        if word in line.lower() and node.value == value
    ]
    # How far a group's member list may fall short is another rule.
    expected = [
        f"{DEFAULTS}: months=24",
        f"{DEFAULTS}: share=0.2",
        "lms_assets.domain.sync_plans.memberships: share=0.2",
    ]
    assert sorted(found) == sorted(expected), "\n".join(found)
    templates = (source.PACKAGE / "reports" / "templates").glob("*.j2")
    assert not [path.name for path in templates if "24 months" in path.read_text(encoding="utf-8")]


def _numbers(line: str) -> list[ast.Constant]:
    try:
        tree = ast.parse(line.strip().rstrip(",:"))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
