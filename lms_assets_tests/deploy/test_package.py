"""What is published works by itself: built, well formed, installed into an empty environment far from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lms_assets.console.command import program_version
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.commands import ROOT, Commands
from lms_assets_tests.harness.waits import LONGEST_SECONDS

TOOLS = Path(sys.executable).parent
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "UV_SYSTEM_CERTS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done


@dataclass(frozen=True)
class Package:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("dist")
    run(TOOLS / "uv", "build", "--quiet", "--out-dir", folder, cwd=ROOT)
    return Package(next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


@pytest.fixture(scope="module")
def installed(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The wheel in an environment of its own, and a working folder outside of any checkout."""
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "venv"
    run(TOOLS / "uv", "venv", "--quiet", "--python", sys.executable, environment, cwd=folder)
    install = ("pip", "install", "--quiet", "--link-mode", "symlink", package.wheel)
    run(TOOLS / "uv", *install, cwd=folder, VIRTUAL_ENV=str(environment))
    take_compiled_files_to(next(environment.glob("lib/python*/site-packages")))
    with running_sandbox(SandboxConfig(scale=0.004, seed=3)) as sandbox:
        commands = Commands(folder / "work", sandbox, executor="in_process")
        commands.command = str(environment / "bin" / "lms-assets")
        commands.environment["PYTHONPATH"] = ""
        commands.environment["PATH"] = f"{environment / 'bin'}:{commands.environment['PATH']}"
        yield commands


def take_compiled_files_to(packages: Path) -> None:
    """What Python made here of the same files, which it checks: making it again is half of this module's time."""
    ours = Path(sysconfig.get_path("purelib"))
    for compiled in ours.rglob("__pycache__"):
        target = packages / compiled.relative_to(ours)
        if target.parent.is_dir() and not target.exists():
            shutil.copytree(compiled, target)


def test_wheel_and_sdist_are_well_formed(package: Package):
    run(TOOLS / "twine", "check", "--strict", package.wheel, package.sdist, cwd=package.wheel.parent)
    names = zipfile.ZipFile(package.wheel).namelist()
    assert not [name for name in names if name.startswith(("lms_assets_tests", "benchmarks", "scripts"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_runs_a_chain_and_makes_a_report_without_the_checkout(installed: Commands):
    version = installed.run("--version")
    assert version.stdout.split() == ["lms-assets", program_version()], version.stderr
    for words in (("db", "upgrade"), ("run", "daily_full"), ("status",), ("report", "preview")):
        done = installed.run(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_init_writes_an_installation_from_the_wheel(installed: Commands):
    folder = installed.folder / "made"
    done = installed.run("init", str(folder))
    assert done.returncode == 0, done.stderr
    units = (folder / "systemd" / "lms-assets-daemon.service").read_text(encoding="utf-8")
    assert f"{Path(installed.command).parent}/dagster-daemon" in units
    assert {".env", "workspace.yaml", "nginx", "dagster_home"} <= {path.name for path in folder.iterdir()}


def test_dagster_loads_the_definitions_from_the_wheel(installed: Commands):
    python = Path(installed.command).with_name("dagster")
    run(python, "definitions", "validate", "-m", "lms_assets.definitions", cwd=installed.folder, PYTHONPATH="")


@pytest.mark.skipif(not (TOOLS / "hadolint").exists(), reason="hadolint has no release for this machine")
def test_the_dockerfile_has_no_fault_that_a_linter_knows():
    run(TOOLS / "hadolint", "--failure-threshold", "info", "deploy/Dockerfile", cwd=ROOT)


def test_the_commands_of_the_dockerfile_install_the_program(tmp_path: Path):
    """What its first stage copies and runs, in an empty folder: a container engine is not needed for that."""
    copied, commands = [], []
    stage = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[1]
    for line in stage.splitlines():
        words = line.split()
        if words[:1] == ["COPY"]:
            copied += words[1:-1]
        if words[:2] == ["RUN", "uv"]:
            commands.append(words[2:])
    for name in copied:
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    target = tmp_path / "installed"
    for words in commands:
        run(
            TOOLS / "uv",
            *words,
            "--python",
            sys.executable,
            cwd=tmp_path,
            UV_PROJECT_ENVIRONMENT=str(target),
            VIRTUAL_ENV="",
        )
    said = run(target / "bin" / "lms-assets", "--version", cwd=tmp_path, PYTHONPATH="")
    assert said.stdout.split() == ["lms-assets", program_version()]


def test_the_compose_file_follows_its_schema_and_builds_nothing_from_a_public_index(tmp_path: Path):
    """A package of this name that somebody else published must never be installed."""
    run(TOOLS / "lms-assets", "init", tmp_path / "here", "--compose", "--host", "dagster.example.com", cwd=tmp_path)
    written = tmp_path / "here" / "compose.yaml"
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", written, cwd=tmp_path)
    assert "pip install" not in written.read_text(encoding="utf-8")


def test_the_workflow_of_ci_follows_its_schema_and_has_no_weak_spot():
    workflow = ROOT / ".github" / "workflows" / "ci.yml"
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow, cwd=ROOT)
    run(TOOLS / "zizmor", "--offline", "--no-progress", workflow, cwd=ROOT)
    assert "bash .ci/run" in workflow.read_text(encoding="utf-8")
