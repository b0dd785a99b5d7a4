"""The package's own source as data for the tests of the architecture: modules, functions, imports, sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lms_assets"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, path, text and syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder or file directly under the package: `domain` for lms_assets.domain.records.courses."""
        return [*self.name.split("."), ""][1]


@cache
def modules(folder: Path = PACKAGE) -> list[Module]:
    """Every Python file under the folder, migrations' versions included, as they were when first asked for."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, path, text, ast.parse(text)))
    return found


def functions(module: Module) -> Iterator[tuple[str, Function]]:
    """Every function that is not inside another one, with its name as `Class.method`."""
    pending: list[tuple[str, ast.AST]] = [("", module.tree)]
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield prefix + child.name, child
            elif isinstance(child, ast.ClassDef):
                pending.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, (ast.If, ast.Try, ast.With)):
                pending.append((prefix, child))


def is_public(name: str) -> bool:
    """Whether no part of `Class.method` is private; dunder methods count as their class's business."""
    return not any(part.startswith("_") for part in name.split("."))


def length_without_docstring(function: Function) -> int:
    """Lines from `def` to the end, decorators and docstring left out, comments and blank lines counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def imported(module: Module) -> Iterator[tuple[str, int]]:
    """Dotted names of everything the module imports anywhere in it, with the line."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.name.split(".")
                kept = len(package) - node.level + (module.path.name == "__init__.py")
                base = ".".join([*package[:kept], *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno
