"""Writes the reference pages of the documentation from the program itself, each time the site is built (MkDocs hook).

Commands from the command line's own definitions, configuration from `.env.example` and the rules, tables from the
schema and its descriptions: none of them can say anything else than the program does.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lms_assets.cli import app
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.schema.descriptions import table_columns
from lms_assets.warehouse.schema.tables import metadata

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
EXIT_CODES = """| exit code | means |
|---|---|
| 0 | completed; for `health`: healthy; for `verify`: equal |
| 1 | failed; for `health`: not healthy; for `verify`: altered |
| 2 | bad configuration or a wrong argument: nothing was done |
| 3 | partial: the chain went on without a step that is not required |
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference pages to the site (called by MkDocs)."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def pages() -> dict[str, str]:
    """Name of the page to its Markdown text."""
    return {"commands": commands(), "configuration": configuration(), "rules": rules(), "tables": tables()}


def commands() -> str:
    """Every command with its arguments, options and defaults, and what the exit codes mean."""
    parts = ["# Commands\n", EXIT_CODES]
    for path, command in _leaves(typer.main.get_command(app), ("lms-assets",)):
        parts.append(f"## {' '.join(path)}\n\n{_text(command.help)}\n")
        rows = [
            f"| {_names(each)} | {_cell(getattr(each, 'help', None))} |" for each in command.params if not _hidden(each)
        ]
        if rows:
            parts.append("| argument or option | |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _leaves(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        return [(path, command)]
    return [leaf for name, each in children.items() for leaf in _leaves(each, (*path, name)) if not each.hidden]


def _hidden(parameter: Any) -> bool:
    return bool(getattr(parameter, "hidden", False)) or parameter.name == "help"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name or '').upper()}`"
    return ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))


def configuration() -> str:
    """Every variable of the environment: the comment above it and its default, as `.env.example` has them."""
    rows, comment = [], []
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif "=" in line:
            name, _, default = line.partition("=")
            rows.append(f"| `{name}` | {_cell(' '.join(comment))} | {f'`{default}`' if default else ''} |")
            comment = []
        else:
            comment = []
    return "# Configuration\n\nVariables of the environment, or of a `.env` in the working folder.\n\n" + (
        "| variable | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def rules() -> str:
    """Every key of LMS_RULES_FILE with its default."""
    rows = [f"| `{each.name}` | {_cell(_default(getattr(Rules(), each.name)))} |" for each in fields(Rules)]
    intro = (
        "# Rules\n\nKeys of the TOML file that `LMS_RULES_FILE` names; a key that is left out keeps its default.\n\n"
    )
    return f"{intro}{_text(Rules.__doc__)}\n\n| key | default |\n|---|---|\n" + "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_default(each) for each in value) or "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {each}" for key, each in value.items())
    if hasattr(value, "pattern"):
        return f"{value.pattern} → {value.category} ({value.priority})"
    return str(value)


def tables() -> str:
    """Every table with its columns: type, empty or not, meaning."""
    parts = ["# Tables\n", "Instants are UTC. An adopted portal's own columns stay and are not listed.\n"]
    for table in metadata.sorted_tables:
        parts.append(f"## {table.name}\n\n{_text(table.comment)}\n")
        rows = [
            f"| `{each.name}` | {each.type} | {'yes' if each.personal else ''} | {_cell(each.note)} |"
            for each in table_columns(table.name)
        ]
        parts.append("| column | type | personal | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _text(text: str | None) -> str:
    return re.sub(r"\s*\n\s*", " ", text or "").strip()


def _cell(text: str | None) -> str:
    return _text(text).replace("|", "\\|").replace("<", "&lt;")
