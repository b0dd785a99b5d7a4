"""What is said about the code and beside it: contracts, types, no promises left open."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

from lms_assets_tests.architecture import source

LEFT_OPEN = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")


def test_every_module_and_public_function_says_what_it_is():
    """The module's docstring says what lives there; a public function's is its contract."""
    silent = []
    for module in source.modules():
        if not ast.get_docstring(module.tree) and "migrations/versions" not in module.path.as_posix():
            silent.append(module.name)
        for name, function in source.functions(module):
            if source.is_public(name) and "." not in name and not ast.get_docstring(function):
                silent.append(f"{module.name}.{name}")
    assert not silent, "without a docstring:\n" + "\n".join(silent)


def test_every_function_has_type_hints():
    """Parameters and result, private ones too: the type check sees only what is annotated."""
    untyped = []
    for module in source.modules():
        for name, function in source.functions(module):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            bare = [each.arg for each in arguments if each.annotation is None and each.arg not in {"self", "cls"}]
            if bare or function.returns is None:
                untyped.append(f"{module.name}.{name}: {', '.join(bare) or 'result'}")
    assert not untyped, "\n".join(untyped)


def _texts() -> list[Path]:
    folders = ["lms_assets", "lms_assets_tests", "scripts", "benchmarks", "docs"]
    found = [path for folder in folders for path in (source.ROOT / folder).rglob("*")]
    found += [source.ROOT / name for name in ("Makefile", "README.md", ".env.example", "pyproject.toml")]
    kinds = {".py", ".md", ".toml", ".yaml", ".sql", ".j2", ".example", ""}
    return [path for path in found if path.is_file() and path.suffix in kinds]


def test_nothing_is_left_for_later_in_the_files():
    """What is not done yet is an issue, where somebody sees it."""
    open_ends = []
    for path in _texts():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if LEFT_OPEN.search(line):
                open_ends.append(f"{path.relative_to(source.ROOT)}:{number}: {line.strip()}")
    assert not open_ends, "\n".join(open_ends)


VARIABLE = re.compile(r"\b(?:NORTHPASS|IMPARTNER|LMS)_[A-Z]+(?:_[A-Z]+)*\b")


def _variables_read() -> set[str]:
    tree = ast.parse((source.PACKAGE / "settings.py").read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if VARIABLE.fullmatch(text)}


def test_the_example_environment_names_every_variable_that_is_read_and_no_other():
    """A variable that nobody can find is a support call; one that nothing reads is a lie."""
    explained = set(VARIABLE.findall((source.ROOT / ".env.example").read_text(encoding="utf-8")))
    assert explained == _variables_read()


def test_the_readme_names_no_variable_that_nothing_reads():
    """The README shows the ones that have to be set and points to the example for the others."""
    text = (source.ROOT / "README.md").read_text(encoding="utf-8")
    assert set(VARIABLE.findall(text)) <= _variables_read()


def test_every_variable_of_the_example_has_its_line_of_explanation():
    """The line above a variable says what it is."""
    lines = (source.ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    bare = [line for above, line in itertools.pairwise(lines) if "=" in line and line[0] != "#" and above[:2] != "# "]
    assert not bare, "\n".join(bare)
