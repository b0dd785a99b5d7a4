"""Puts small faults into the rules, the upsert and the push, one at a time, and reports which ones the tests miss.

mutmut makes and runs the faults. Of these this script draws a sample by seed, and only faults of logic: a comparison
or a condition changed, a number one too high, a calculation turned, an argument lost. Changed texts are left out.

    make mutants                        200 faults, seed 1
    make mutants SAMPLE=500 SEED=7      another sample

Exit code 0: at least 95 % were noticed. 1: fewer. Faults that change nothing that a caller could see are listed in
`scripts/equal_mutants.txt`, one `module.function: changed line` each, with the reason; they do not count. An entry
whose function or fault there is not any more is named: 1 at once where the function is gone.
"""

# ruff: noqa: S603, T201 - this script's job is to run tools and to talk on the terminal

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import prepare

ROOT = prepare.ROOT
MUTANTS = ROOT / "mutants"
EQUAL = ROOT / "scripts" / "equal_mutants.txt"
WANTED = 0.95
NOBODY = "no.such.function"
LOGIC = (ast.cmpop, ast.boolop, ast.operator, ast.unaryop)
_COPY = re.compile(r"(?P<function>.+)__mutmut_(?P<number>\d+|orig)$")


@dataclass(frozen=True)
class Mutant:
    """One fault: `name` is mutmut's, `function` the module and function, `line` the changed source."""

    name: str
    function: str
    line: str


def main() -> int:
    """Draw, run, report; see the module's text for the exit codes."""
    parser = argparse.ArgumentParser(description="Do the tests notice small faults?")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only functions whose name contains this text; no sample is drawn")
    options = parser.parse_args()
    known_equal = _equal()
    if moved := functions_gone(known_equal):
        print(f"{EQUAL.name} names functions that are not there: {', '.join(moved)}", file=sys.stderr)
        return 1
    prepare.prepare(dev=True)
    shutil.rmtree(MUTANTS, ignore_errors=True)
    _mutmut(NOBODY, quiet=True)
    found = sorted(_logic_mutants(), key=lambda each: each.name)
    counted = [each for each in found if f"{each.function}: {each.line}" not in known_equal]
    for entry in sorted(known_equal - {f"{each.function}: {each.line}" for each in found}):
        print(f"{EQUAL.name} names a fault that cannot be made any more: {entry}", file=sys.stderr)
    if options.only:
        drawn = [each for each in counted if options.only in each.function]
    else:
        drawn = random.Random(options.seed).sample(counted, min(options.sample, len(counted)))  # noqa: S311
    if not drawn:
        print("No fault could be made: see the output of mutmut above.", file=sys.stderr)
        return 1
    _mutmut(*(each.name for each in drawn))
    survivors = _survivors({each.name for each in drawn})
    noticed = len(drawn) - len(survivors)
    for each in sorted(drawn, key=lambda one: one.function):
        if each.name in survivors:
            print(f"not noticed  {each.function}: {each.line}")
    print(f"\n{noticed} of {len(drawn)} faults noticed ({noticed / len(drawn):.1%}), {len(found)} could be made")
    return 0 if noticed >= WANTED * len(drawn) else 1


def _mutmut(*names: str, quiet: bool = False) -> str:
    command = [str(prepare.VENV / "bin" / "mutmut"), "run", "--max-children", str(os.cpu_count() or 2), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and not quiet:
        print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
    return done.stdout


def _survivors(names: set[str]) -> set[str]:
    """What was not killed: survived, not covered by any test, or without a result."""
    command = [str(prepare.VENV / "bin" / "mutmut"), "results", "--all", "true"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    outcome = dict(line.strip().split(": ", 1) for line in lines if ": " in line)
    return {name for name in names if outcome.get(name) not in {"killed", "timeout"}}


def functions_gone(entries: Iterable[str]) -> list[str]:
    """The functions that entries of `equal_mutants.txt` name and that the product does not have."""
    there = set()
    for path in (ROOT / "lms_assets").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            methods = node.body if isinstance(node, ast.ClassDef) else ()
            there |= {f"{module}.{each.name}" for each in (node,) if isinstance(each, ast.FunctionDef)}
            there |= {f"{module}.{node.name}.{each.name}" for each in methods if isinstance(each, ast.FunctionDef)}
    return sorted({entry.partition(": ")[0] for entry in entries} - there)


def _equal() -> set[str]:
    lines = EQUAL.read_text().splitlines() if EQUAL.exists() else []
    return {line.partition("  # ")[0].strip() for line in lines if line.strip() and not line.startswith("#")}


def _logic_mutants() -> Iterator[Mutant]:
    for path in sorted(MUTANTS.rglob("*.py.meta")):
        source = path.with_suffix("")
        module = ".".join(source.relative_to(MUTANTS).with_suffix("").parts)
        copies: dict[str, dict[str, ast.FunctionDef]] = {}
        for node in ast.walk(ast.parse(source.read_text())):
            match = _COPY.match(node.name) if isinstance(node, ast.FunctionDef) else None
            if match and isinstance(node, ast.FunctionDef):
                copies.setdefault(match["function"], {})[match["number"]] = node
        for function, by_number in copies.items():
            original = by_number.pop("orig", None)
            for number, mutant in by_number.items():
                line = _changed(original, mutant) if original else None
                if line:
                    plain = f"{module}.{re.sub(r'^x_|^xǁ', '', function).replace('ǁ', '.')}"
                    yield Mutant(f"{module}.{function}__mutmut_{number}", plain, line)


def _changed(original: ast.FunctionDef, mutant: ast.FunctionDef) -> str | None:
    """The changed statement, if what changed is logic; None for a changed text."""
    for before, after in zip(_statements(original), _statements(mutant), strict=False):
        if ast.dump(before) == ast.dump(after):
            continue
        pairs = zip(ast.walk(before), ast.walk(after), strict=False)
        for one, other in pairs:
            if type(one) is type(other) and not isinstance(one, ast.Constant):
                continue
            if isinstance(one, ast.Constant) and isinstance(other, ast.Constant) and one.value == other.value:
                continue
            logic = isinstance(one, LOGIC) or isinstance(other, LOGIC)
            numbers = isinstance(one, ast.Constant) and isinstance(one.value, (int, float))
            if numbers and isinstance(other, ast.Constant) and other.value is None and one.value is False:
                return None  # as a condition None is False
            flow = isinstance(one, (ast.Break, ast.Continue, ast.BoolOp))
            if logic or numbers or flow:
                return _one_line(before, after)
            return None
        return _one_line(before, after)
    return None


def _statements(function: ast.FunctionDef) -> list[ast.AST]:
    """Statements in order, compound ones by their head only, so that a change is found where it is."""
    return [
        getattr(node, "test", node) if isinstance(node, (ast.If, ast.While)) else node
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.For, ast.With, ast.Try))
    ]


def _one_line(before: ast.AST, after: ast.AST) -> str:
    old, new = (" ".join(ast.unparse(each).split()) for each in (before, after))
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    begin = max(0, start - 40)
    return f"{old[begin : start + 40]} -> {new[begin : start + 40]}".rstrip()


if __name__ == "__main__":
    raise SystemExit(main())
