"""Who may know whom. The import linter holds it; here each contract is broken on purpose, with its reason seen."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from lms_assets_tests.architecture import source

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

PRIVATE_NAME = re.compile(r"dagster[\w.]*[.:]_[\w./]+")

# A pure rule needs values, dates and text, nothing that reaches outside (architecture: no I/O, no clock, no Dagster).
DOMAIN_MAY_IMPORT = {
    "__future__", "abc", "annotated_types", "anyascii", "bisect", "calendar", "collections", "dataclasses", "datetime",
    "decimal", "difflib", "email_validator", "enum", "fractions", "functools", "hashlib", "heapq",
    "itertools", "json",
    "lms_assets", "math", "numpy", "operator", "pydantic", "rapidfuzz", "re", "statistics", "string", "tomllib",
    "types", "typing", "unicodedata",
}  # fmt: skip


INTRUDERS = (
    ("layers", "domain", "import lms_assets.warehouse", "Hand the value down"),
    ("layers", "warehouse", "import lms_assets.vendors", "Hand the value down"),
    ("layers", "reports", "import lms_assets.assets", "Hand the value down"),
    ("layers", "checks", "import lms_assets.assets", "Hand the value down"),
    ("no-circles", "reports/figures", "import lms_assets.reports.rendering", "neither can be read"),
    ("no-circles", "domain/safety", "import lms_assets.domain.counting.push_plan", "neither can be read"),
    ("no-circles", "warehouse/upsert", "import lms_assets.warehouse.sync_state", "neither can be read"),
    ("sandbox-stands-alone", "sandbox", "import lms_assets.domain", "shares its mistakes"),
    ("product-without-sandbox", "assets", "import lms_assets.sandbox", "a base URL"),
    ("vendors-know-no-rules", "vendors", "import lms_assets.domain", "knows a rule"),
    ("http-in-vendors", "assets", "import requests", "Add a method to a client"),
    ("sql-in-warehouse", "assets", "import sqlalchemy", "Add a function"),
    ("dagster-in-the-graph", "domain", "import dagster", "let the asset or the check wrap it"),
    ("dagster-in-the-graph", "reports", "from dagster import asset", "let the asset or the check"),
    ("pandas-where-tables-are", "assets", "import pandas", "or hand rows over"),
)
"""Contract, folder, a wrong import there, and words of the reason that its author gets to read."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the import linter says of each contract, when every wrong import stands in a copy of the package."""
    folder = tmp_path_factory.mktemp("architecture")
    shutil.copytree(source.PACKAGE, folder / "lms_assets", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source.ROOT / ".importlinter", folder)
    for number, (_, where, line, _) in enumerate(INTRUDERS):
        (folder / "lms_assets" / where / f"intruder_{number}.py").write_text(f"{line}\n", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [LINT_IMPORTS, "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    rules = configparser.ConfigParser()
    rules.read(folder / ".importlinter")
    names = {rules[each]["name"]: each.rpartition(":")[2] for each in rules.sections() if "name" in rules[each]}
    # Behind the list of contracts each broken one has its name, underlined, what breaks it, and the reason.
    parts = re.split(r"^(.+)\n-+\n", done.stdout.partition("Broken contracts")[2], flags=re.MULTILINE)
    return {names[name]: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize("number", range(len(INTRUDERS)))
def test_an_arrow_that_points_up_is_refused_with_the_reason(said: dict[str, str], number: int):
    """Each contract is broken by one wrong import; that the code as it is keeps them, the suite's lint shows."""
    contract, where, _, reason = INTRUDERS[number]
    # Of a circle the room is named in which it is.
    shown = f"in lms_assets.{where.split('/')[0]}." if contract == "no-circles" else f"intruder_{number} ->"
    assert shown in said[contract]
    assert reason in said[contract]


def _imports_of(room: str) -> Iterator[tuple[str, str, int]]:
    for module in source.modules():
        if module.room == room:
            for name, line in source.imported(module):
                yield module.name, name, line


def test_the_rules_import_nothing_that_reaches_outside():
    """A rule sees only what it is given, so that it says the same today, tomorrow and on another machine."""
    outside = [
        f"{module}:{line} imports {name}"
        for module, name, line in _imports_of("domain")
        if (name.split(".")[0] not in DOMAIN_MAY_IMPORT and not name.startswith(("urllib.parse", "sys.intern")))
        or (name.startswith("lms_assets") and not name.startswith("lms_assets.domain"))
    ]
    assert not outside, "\n".join(outside)


def test_the_rules_have_no_clock():
    """Time is passed in: every partner is counted at the same instant (domain rules, NPCU and certifications)."""
    clocks = []
    for module in source.modules():
        if module.room != "domain":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
                said = ast.unparse(node)
                clocks += (
                    [f"{module.name}:{node.lineno}: {said}"] if said.split(".")[-2] in {"date", "datetime"} else []
                )
    assert not clocks, "\n".join(clocks)


def test_no_module_uses_private_parts_of_dagster():
    """They change without notice between two minor releases: one module has them, each with the reason.

    One for the product and one for the tests; names in strings, by which a module can be imported too, included.
    """
    others = (*source.modules(source.ROOT / "lms_assets_tests"), *source.modules(source.ROOT / "benchmarks"))
    private = [
        f"{module.name}:{line} names {name}"
        for module in [*source.modules(), *others]
        if module.name not in {"lms_assets.runs.dagster_internals", "lms_assets_tests.harness.dagster_internals"}
        for name, line in [*source.imported(module), *_private_names(module)]
        if name.startswith("dagster") and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private, "\n".join(private)


def _private_names(module: source.Module) -> Iterator[tuple[str, int]]:
    """Names in strings, and attributes of Dagster's module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((name.replace(":", "."), node.lineno) for name in PRIVATE_NAME.findall(node.value))
        elif isinstance(node, ast.Attribute) and ast.unparse(node).split(".")[0] in {"dg", "dagster"}:
            yield "dagster." + ast.unparse(node).partition(".")[2], node.lineno


def test_private_names_of_dagster_are_found_however_they_are_named():
    """A test that finds nothing whatever one writes would keep no promise."""
    private = "dagster." + "_core"
    text = f'import_module("{private}.events")\nprint(dg._core)\nx = "a: {private}"\n'
    module = source.Module("example", source.PACKAGE, text, ast.parse(text))
    assert sorted(name for name, _ in _private_names(module)) == [private, private, f"{private}.events"]


def test_no_test_waits_for_time_to_pass():
    """A sleep is either too short on a busy machine or wasted on a fast one: wait for the event.

    harness/ may pause between two looks at something that another process does.
    """
    sleeps = []
    for module in source.modules(source.ROOT / "lms_assets_tests"):
        if module.name.startswith("lms_assets_tests.harness."):
            continue
        called = {"time.sleep"} if "time" in {name for name, _ in source.imported(module)} else set()
        called |= {"sleep"} if "time.sleep" in {name for name, _ in source.imported(module)} else set()
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in called:
                sleeps.append(f"{module.name}:{node.lineno}")
    assert not sleeps, "\n".join(sleeps)


def test_every_foreign_package_that_is_imported_is_declared():
    """What comes along only as somebody else's dependency can go away with their next release."""
    project = tomllib.loads((source.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\s<>=!~;\[]", line)[0].lower() for line in project["dependencies"]}
    # pyproject.toml says that these two come with dagster-webserver; requests shows urllib3 in its own interface.
    declared |= {"starlette", "uvicorn", "urllib3"}
    # The extras declare dagster-celery and dagster-k8s; Celery comes with the first, the last three with Dagster.
    declared |= {"celery", "dagster-celery", "dagster-k8s", "dagster-shared", "pydantic", "annotated-types"}
    owners = packages_distributions()
    undeclared = {
        f"{name.split('.')[0]} (by {module.name})"
        for module in source.modules()
        for name, _ in source.imported(module)
        if (top := name.split(".")[0]) not in sys.stdlib_module_names | {"lms_assets"}
        and not declared & {owner.lower().replace("_", "-") for owner in owners.get(top, [])}
    }
    assert not undeclared, "add to pyproject.toml with the reason: " + ", ".join(sorted(undeclared))
