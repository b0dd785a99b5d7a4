"""`make test` tells the truth: its last line counts what ran, and what was left out is named and fails in CI."""

from __future__ import annotations

import importlib
import sys

import pytest

from lms_assets_tests.architecture import source

SUITE = """
import pytest
def test_good(): pass
def test_bad(): assert False
@pytest.fixture
def broken(): raise RuntimeError
def test_broken(broken): pass
@pytest.mark.skip(reason="no database here")
def test_absent(): pass
@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(source.ROOT / "scripts"))
    for name in ("suite", "audit", "prepare", "system_packages"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("suite")
    for name in ("suite", "audit", "prepare", "system_packages"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(script, tmp_path, monkeypatch):
    """Run a suite's text as one part of `make test`; what was said and its tally."""

    def _run(text: str):
        (tmp_path / "test_suite.py").write_text(text)
        monkeypatch.setattr(script, "ROOT", tmp_path)
        monkeypatch.setattr(script, "BIN", type(script.BIN)(sys.executable).parent)
        tally = script.Tally()
        script._run_tests("part", ("-q", "-p", "no:cacheprovider"), tally)
        return tally

    return _run


def test_every_outcome_is_counted_once_and_what_was_left_out_is_named(script, run, monkeypatch, capsys):
    tally = run(SUITE)
    assert (tally.passed, tally.failed) == (1, 2)
    assert script._conclude(tally, lint_only=False) == 1
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "1 passed, 2 failed, 1 skipped"
    assert "test_absent: no database here" in said


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_leaving_something_out_fails_only_in_ci(script, run, monkeypatch, ci, code):
    monkeypatch.setenv("CI", ci)
    tally = run("import pytest\ndef test_good(): pass\n@pytest.mark.skip(reason='x')\ndef test_absent(): pass\n")
    assert script._conclude(tally, lint_only=False) == code


def test_a_suite_that_ran_nothing_is_no_success(script, run):
    assert script._conclude(run("x = 1\n"), lint_only=False) == 1


def test_a_file_that_cannot_be_imported_is_a_failure(script, run):
    tally = run("import nothing_of_that_name\n")
    assert tally.failed == 1
    assert script._conclude(tally, lint_only=False) == 1


def test_a_new_lock_or_project_file_is_installed_again(script, tmp_path, monkeypatch):
    prepare = importlib.import_module("prepare")
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    for name in ("pyproject.toml", "uv.lock", "setup.py"):
        (tmp_path / name).write_text("1")
    before = prepare._fingerprint()
    assert prepare._fingerprint() == before
    (tmp_path / "uv.lock").write_text("2")
    assert prepare._fingerprint() != before


@pytest.mark.parametrize("version", [(3, 10, 2), (3, 14, 0), (4, 0, 0)])
def test_a_python_that_cannot_run_it_is_named_before_anything_is_installed(script, monkeypatch, version):
    prepare = importlib.import_module("prepare")
    monkeypatch.setattr(prepare.sys, "version_info", version)
    with pytest.raises(prepare.PreparationError, match=r"3\.11, 3\.12 or 3\.13"):
        prepare.prepare(dev=False)


def test_faults_that_change_nothing_name_functions_of_the_product(monkeypatch):
    """A function that was moved or renamed would be drawn again, and fail `make mutants` for nothing."""
    monkeypatch.syspath_prepend(str(source.ROOT / "scripts"))
    mutants = importlib.import_module("mutants")
    for name in ("mutants", "prepare"):
        monkeypatch.delitem(sys.modules, name)
    assert mutants.functions_gone(mutants._equal()) == []
    assert mutants.functions_gone(["lms_assets.lineage.moved: a -> b"]) == ["lms_assets.lineage.moved"]
