"""The door: opens without looking at the environment, and shows every fixed name, described, in its place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest

from lms_assets.asset_specs import runbook_of
from lms_assets.assets.asset import asset_of
from lms_assets.checks.evaluations import result_of
from lms_assets.checks.specs import CHECKS
from lms_assets.domain.operations.incident import Kind
from lms_assets.domain.safety.check_results import CheckResult
from lms_assets_tests.architecture import source

# The names that users, dashboards and acceptance runs depend on.
GROUPS = {
    "tier_1_foundation": {"courses", "course_npcu", "partners", "contacts"},
    "tier_2_users_and_groups": {"users", "groups", "memberships"},
    "tier_3_enrollments": {"enrollments"},
    "tier_4_aggregation_and_push": {"partner_certifications", "partner_cert_counts", "pushed_partner_cert_counts"},
    "tier_5_reporting": {"pam_weekly_report", "executive_weekly_report"},
    "leads": {"leads"},
    "offboarding": {"crm_deactivations", "lms_offboarding_plan"},
}
JOBS = {
    "daily_full", "enrollments_incremental", "push_to_impartner", "leads_incremental", "leads_full",
    "weekly_reports", "cleanup", "offboarding_plan", "offboarding_apply",
}  # fmt: skip
CHAIN_JOBS = {"daily_full", "enrollments_incremental", "push_to_impartner"}
NOT_YET: set[str] = set()

# A check's name is true when it is green: "courses_are_unique", "every_partner_has_a_name".
VERBS = {"is", "are", "has", "have", "was", "were", "agree", "agrees", "match", "matches", "exist", "exists", "refer"}
VERBS |= {
    "did",
    "do",
    "does",
    "count",
    "counts",
    "belong",
    "belongs",
    "point",
    "points",
    "hold",
    "holds",
    "stay",
    "stays",
    "names",
    "lie",
}

WATCHER = """
import os, sys, threading
prefixes = ("NORTHPASS_", "IMPARTNER_", "LMS_")
free = ("LMS_DOCS_URL", "LMS_GIT_URL")  # stand in the graph's own links
seen = []
class Watched(type(os.environ)):
    def __getitem__(self, key):
        # Libraries that hand the whole environment on to a program of theirs ask for no setting.
        reader = sys._getframe(1)
        while reader.f_globals.get("__name__") in ("os", "collections.abc"):
            reader = reader.f_back
        name = reader.f_globals.get("__name__", "")
        if key in free:
            return super().__getitem__(key)
        if key.startswith(prefixes) and name.partition(".")[0] in ("lms_assets", "dotenv", "dagster", "__main__"):
            seen.append("read " + key + " by " + name)
        return super().__getitem__(key)
os.environ.__class__ = Watched
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "sqlite3.connect"):
        seen.append(event + " " + str(arguments[1:2] if event == "socket.connect" else arguments[:1]))
sys.addaudithook(watch)
import lms_assets.definitions
watching = len(seen)
os.environ.get("LMS_WAREHOUSE_URL")
assert len(seen) == watching + 1, "the watcher is blind"
print("threads", threading.active_count())
print(*{"jinja2", "css_inline", "email_validator", "rapidfuzz", "numpy", "pandas"} & sys.modules.keys())
print("\\n".join(seen[:watching]))
"""


@pytest.fixture(scope="module")
def definitions():
    return pytest.importorskip("lms_assets.definitions").defs


@pytest.fixture(scope="module")
def specs(definitions):
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_opening_the_door_reads_no_setting_and_opens_no_connection(tmp_path: Path):
    """Every process of a chain imports it, and a machine without keys must be able to show the graph."""
    pytest.importorskip("lms_assets.definitions")
    poison = {"LMS_WAREHOUSE_URL": "sqlite:////nowhere/at/all.db", "NORTHPASS_BASE_URL": "http://127.0.0.1:9/v2"}
    env = {**os.environ, **poison, "PYTHONPATH": str(source.ROOT), "HOME": str(tmp_path)}
    env.pop("DAGSTER_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", WATCHER], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # A thread that is alive before the fork server forks its steps can hang them. What only some steps use, they load.
    assert done.stdout.split() == ["threads", "1"], done.stdout


@pytest.mark.parametrize("group", GROUPS)
def test_every_tier_has_its_assets_and_no_other(specs, group):
    there = {key for key, spec in specs.items() if spec.group_name == group}
    assert there == GROUPS[group] or (not there and group in NOT_YET)


def test_every_job_has_its_fixed_name(definitions):
    names = {job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    assert CHAIN_JOBS <= names <= JOBS


def test_every_asset_says_who_owns_it_what_it_is_and_what_it_is_made_of(specs):
    """An asset without them is a box nobody dares to touch."""
    bare = []
    ours = set().union(*GROUPS.values())
    for key in sorted(ours & set(specs)):
        spec = specs[key]
        present = {"owner": spec.owners, "description": spec.description, "kind": spec.kinds}
        bare += [f"{key}: {what}" for what, value in present.items() if not value]
    assert not bare, "\n".join(bare)


def test_every_table_shows_its_columns_in_the_graph(definitions):
    """The column schema is part of the asset's definition, so that it shows before the first run."""
    schemaless = []
    for assets in definitions.resolve_asset_graph().asset_nodes:
        key = assets.key.to_user_string()
        if key in set().union(*GROUPS.values()) and "dagster/column_schema" not in assets.metadata:
            schemaless.append(key)
    assert set(schemaless) <= {"pushed_partner_cert_counts", "pam_weekly_report", "executive_weekly_report"}


def test_every_check_is_named_for_what_is_true_when_it_is_green(definitions):
    """Three words at least, one of them a verb."""
    keys = definitions.resolve_asset_graph().asset_check_keys
    assert keys
    unclear = []
    for key in keys:
        words = key.name.split("_")
        if len(words) < 3 or not VERBS & set(words) or not re.fullmatch(r"[a-z0-9_]+", key.name):
            unclear.append(f"{key.asset_key.to_user_string()}: {key.name}")
    assert not unclear, "\n".join(sorted(unclear))


def test_schedules_name_their_zone_and_sensors_their_event(definitions):
    """The schedule table is in UTC; a sensor is named for what it waits for and `_sensor`."""
    odd = [f"{each.name}: {_zone(each)}" for each in definitions.schedules or [] if _zone(each) != "UTC"]
    odd += [each.name for each in definitions.sensors or [] if not each.name.endswith("_sensor")]
    assert not odd, "\n".join(odd)


def _zone(schedule) -> str | None:
    # A schedule of a partitioned job learns its zone from the partitions when it is resolved.
    return getattr(schedule, "execution_timezone", "UTC")


def _picture(specs) -> str:
    lines = []
    for key, spec in specs.items():
        group = spec.group_name
        if group in {"vendors", *GROUPS}:
            ups = ", ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps))
            lines.append(f"{group}: {key}" + (f" <- {ups}" if ups else ""))
    return "\n".join(sorted(lines)) + "\n"


def test_the_lineage_is_the_one_in_the_picture(specs):
    """lineage.txt has one line an asset; a change to it is a change of what waits for what, and has a reason."""
    assert _picture(specs) == (Path(__file__).parent / "lineage.txt").read_text(encoding="utf-8")


def test_no_column_of_an_asset_is_without_its_meaning(specs):
    """A column that nobody explains is read as whatever its name suggests."""
    bare = [
        f"{key}.{column.name}"
        for key, spec in specs.items()
        if "dagster/column_schema" in spec.metadata
        for column in spec.metadata["dagster/column_schema"].columns
        if not column.description
    ]
    assert not bare, "\n".join(bare)


def test_every_asset_links_to_its_source_and_every_asset_and_check_to_the_runbook(definitions, specs):
    """From a red asset in the UI to the text that says what to do; the files are there, as in a wheel."""
    sections = set(re.findall(r"^#+ `?([\w]+)`?$", (source.ROOT / "docs/runbook.md").read_text("utf-8"), re.MULTILINE))
    graph = definitions.resolve_asset_graph()
    linked = [spec.metadata for spec in specs.values()]
    linked += [graph.get_check_spec(key).metadata for key in graph.asset_check_keys]
    missing = {found["runbook"].path for found in linked if found["runbook"].path.rpartition("#")[2] not in sections}
    assert not missing, f"docs/runbook.md lacks sections: {sorted(missing)}"
    alerts = set(get_args(Kind)) - {"check", "warning"}  # these two name the check's
    assert alerts <= sections, f"docs/runbook.md lacks alerts: {sorted(alerts - sections)}"
    for key in set().union(*GROUPS.values()):
        (reference,) = specs[key].metadata["dagster/code_references"].code_references
        lines = Path(reference.file_path).read_text("utf-8").splitlines()
        assert f'@asset_of("{key}")' in lines[reference.line_number - 1], key


def test_what_the_crm_is_sent_can_be_followed_back_to_the_vendors_fields(specs):
    """Column by column, over assets and columns that there are."""
    sent = ("Total_NPCU__cf", "Nintex_K2_Certifications__cf")
    found, todo = set(), [("pushed_partner_cert_counts", field) for field in sent]
    while todo:
        asset, column = todo.pop()
        lineage = specs[asset].metadata.get("dagster/column_lineage")
        deps = lineage.deps_by_column.get(column, ()) if lineage else ()
        for dep in deps:
            up = dep.asset_key.to_user_string()
            assert up in specs, f"{asset}.{column} comes from {up}, which is no asset"
            (found.add if "/" in up else todo.append)((up, dep.column_name))
    assert ("northpass/course_properties", "npcu") in found


def test_the_version_of_an_asset_changes_with_the_rules_that_it_applies():
    """So the UI marks counts as outdated when the months change, and not when a word of a name does."""
    rules, registry = pytest.importorskip("lms_assets.domain.rules"), pytest.importorskip("lms_assets.lineage").ENTRIES
    known = {each.name for each in fields(rules.Rules)}
    assert not [rule for entry in registry.values() for rule in entry.rules if rule not in known]
    ledger = registry["partner_certifications"]
    assert ledger.code_version != replace(ledger, rules=(*ledger.rules, "fuzzy_margin")).code_version
    assert ledger.code_version != replace(ledger, version="2").code_version


def test_a_check_that_did_not_pass_names_its_section_of_the_runbook():
    """In its result, since the UI shows no metadata of the check itself."""
    shown = [result_of(CHECKS[0], CheckResult(passed, "as it is")).metadata for passed in (False, True)]
    assert shown[0]["runbook"].path == f"docs/runbook.md#{CHECKS[0].name}"
    assert "runbook" not in shown[1]


def test_the_runbook_is_a_link_where_the_documentation_is_served(monkeypatch):
    """The page is the one that `make docs` writes."""
    monkeypatch.setenv("LMS_DOCS_URL", "https://docs.example/lms/")
    assert runbook_of("courses")["runbook"].url == "https://docs.example/lms/runbook.html#courses"


@pytest.mark.parametrize("wrong", ["https://somebody:pass-4711@docs.example", "docs.example", "http://[broken"])
def test_an_address_that_the_settings_refuse_is_no_link(monkeypatch, wrong):
    """Links stand in the UI, where a password must not."""
    monkeypatch.setenv("LMS_DOCS_URL", wrong)
    assert runbook_of("courses")["runbook"].path == "docs/runbook.md#courses"


@pytest.mark.parametrize("host", ["github.example", "gitlab.example"])
def test_the_source_is_a_link_to_this_version_where_the_repository_is_known(monkeypatch, host):
    """Asset by asset, to the line of its function."""
    monkeypatch.setenv("LMS_GIT_URL", f"https://{host}/team/lms_assets")

    @asset_of("courses")
    def courses() -> None: ...

    (reference,) = courses.metadata_by_key[courses.key]["dagster/code_references"].code_references
    tree = "-/tree" if "gitlab" in host else "tree"
    assert reference.url.startswith(f"https://{host}/team/lms_assets/{tree}/v{version('lms-assets')}/")
    assert "lms_assets_tests/architecture/test_definitions.py#L" in reference.url
