"""Small enough to be read in one sitting: every model we learned from has a few giants, since nobody measured."""

from __future__ import annotations

import ast
import re

from lms_assets_tests.architecture import source

MODULE_LINES = 400
FOLDER_MODULES = 15
FUNCTION_LINES = 50
ASSET_LINES = 25
POSITIONAL_PARAMETERS = 5
PARAMETERS = 6
FRAGMENT_LINES = 40

# Modules under 40 lines with one importer, each with the reason why it is not part of that one.
FRAGMENTS = {
    "lms_assets.console.commands.allow": "one command",
}
# Functions with more than 6 parameters, each with what the further ones are.
MANY_PARAMETERS = {
    "lms_assets.cli.run": "the options of a command",
    "lms_assets.cli.why": "the options of a command",
    "lms_assets.console.running.runner.make_run": "what Dagster asks for",
    "lms_assets.sandbox.changes.changes_lms.complete_course": "fields of a transcript",
    "lms_assets.vendors.impartner.client.ImpartnerClient.__init__": "the settings of a client",
    "lms_assets.vendors.transport.client.VendorHttp.__init__": "the settings of a client",
    "lms_assets.warehouse.bookkeeping.email_log.EmailLogRows.reserve": "columns of the mail log",
    "lms_assets.warehouse.bookkeeping.failures.replace_failures": "how far the source was read",
    "lms_assets.warehouse.bookkeeping.sync_log.complete": "columns of the sync log",
    "lms_assets.warehouse.results.counts.write_history": "columns of the history",
    "lms_assets.warehouse.state.baselines.note_deactivations": "columns of the note",
    "lms_assets.warehouse.upsert.children.sync_children": "which columns of which table",
    "lms_assets.warehouse.upsert.upsert.upsert": "which columns of which table",
}
NAME_CHARACTERS = 80


def test_no_module_has_more_than_400_lines():
    """Counted as an editor counts: every line of the file."""
    too_long = [
        f"{module.path.relative_to(source.ROOT)}: {module.text.count(chr(10))} lines"
        for module in source.modules()
        if module.text.count("\n") > MODULE_LINES
    ]
    assert not too_long, "split these by concern:\n" + "\n".join(too_long)


def test_no_folder_has_more_than_15_modules_side_by_side():
    """More than that is a list to search; a room for each concern can be guessed."""
    full = []
    for folder in sorted({module.path.parent for module in source.modules()}):
        names = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        if len(names) > FOLDER_MODULES:
            full.append(f"{folder.relative_to(source.ROOT)}: {len(names)} modules")
    assert not full, "make rooms in these:\n" + "\n".join(full)


def test_no_function_has_more_than_50_lines_beside_its_docstring():
    """From `def` to the end without decorators and docstring: a contract may be as long as it needs to be."""
    too_long = [
        f"{module.name}.{name} (line {function.lineno}): {source.length_without_docstring(function)} lines"
        for module in source.modules()
        for name, function in source.functions(module)
        if source.length_without_docstring(function) > FUNCTION_LINES
    ]
    assert not too_long, "give the parts names of their own:\n" + "\n".join(too_long)


def test_no_asset_or_check_has_a_body_of_more_than_25_lines():
    """An asset fetches, applies rules, writes and reports; what is longer does one of these itself."""
    too_long = []
    for module in source.modules():
        if module.room not in {"assets", "checks"}:
            continue
        for name, function in source.functions(module):
            first = function.body[0].lineno
            if ast.get_docstring(function, clean=False) is not None and len(function.body) > 1:
                first = function.body[1].lineno
            lines = (function.end_lineno or first) - first + 1
            if lines > ASSET_LINES and any(_makes_definition(each) for each in function.decorator_list):
                too_long.append(f"{module.name}.{name}: {lines} lines")
    assert not too_long, "move what decides to domain, what reads and writes to warehouse:\n" + "\n".join(too_long)


def _makes_definition(decorator: ast.expr) -> bool:
    text = ast.unparse(decorator).partition("(")[0]
    return text.rpartition(".")[2] in {"asset_of", "check_of", "asset", "asset_check"}


def test_no_function_takes_more_than_5_positional_parameters():
    """Those a caller may pass without a name, self and cls left out; keyword-only ones cannot be mixed up."""
    too_many = []
    for module in source.modules():
        for name, function in source.functions(module):
            positional = [*function.args.posonlyargs, *function.args.args]
            if "." in name and positional and positional[0].arg in {"self", "cls"}:
                positional = positional[1:]
            if len(positional) > POSITIONAL_PARAMETERS:
                too_many.append(f"{module.name}.{name}: {len(positional)}")
    assert not too_many, "make them keyword-only or a dataclass:\n" + "\n".join(too_many)


def test_a_module_under_40_lines_with_one_importer_has_a_reason():
    """What only one module uses is read with it, unless a border lies between them."""
    importers: dict[str, set[str]] = {module.name: set() for module in source.modules()}
    for module in source.modules():
        for name, _ in source.imported(module):
            # `from package import module` and `from module import name` alike.
            for found in {name, name.rpartition(".")[0]} & importers.keys() - {module.name}:
                importers[found].add(module.name)
    small = {
        module.name
        for module in source.modules()
        if module.path.name != "__init__.py"
        and module.text.count("\n") < FRAGMENT_LINES
        and len(importers[module.name]) == 1
        and module.room != "sandbox"
    }
    assert small - FRAGMENTS.keys() == set(), "make these part of the module that imports them, or give the reason"
    assert FRAGMENTS.keys() - small == set(), "these need no reason any more"


def test_no_function_takes_more_than_6_parameters():
    """Self and cls left out; what belongs together is a dataclass, and what can be worked out is no parameter."""
    many = set()
    for module in source.modules():
        for name, function in source.functions(module):
            arguments = function.args
            names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            if len(names) - ("." in name and names[0] in {"self", "cls"}) > PARAMETERS:
                many.add(f"{module.name}.{name}")
    assert many - MANY_PARAMETERS.keys() == set(), "take fewer, or give the reason"
    assert MANY_PARAMETERS.keys() - many == set(), "these need no reason any more"


# Public names that only tests use, each with the reason.
FOR_TESTS_ONLY = {
    "lms_assets.reports.figures.model.addressed": "gives each figure of a report a name, for comparing with the oracle",
    "lms_assets.vendors.impartner.filters.equals": "a part of the CRM's filter language",
}
# What a base class of a library calls.
CALLED_BY_LIBRARIES = frozenset(
    {"collect", "downgrade", "emit", "load_dialect_impl", "process_bind_param", "process_result_value"}
)


def test_no_public_function_is_there_for_tests_only():
    """Code that nothing of the product uses is read, kept and translated to the next version for nothing."""
    used: set[str] = set()
    for module in source.modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
    templates = (source.PACKAGE / "reports" / "templates").glob("*.j2")
    used |= {word for path in templates for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    unused = {
        f"{module.name}.{name}"
        for module in source.modules()
        if module.room != "sandbox"
        for name, function in source.functions(module)
        if source.is_public(name)
        and name.rpartition(".")[2] not in used | CALLED_BY_LIBRARIES
        and not {ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in function.decorator_list}
        & {"command", "callback", "connect"}
    }
    assert unused - FOR_TESTS_ONLY.keys() == set(), "delete these with their tests, or give the reason"


def test_the_ruler_measures_what_it_says():
    """A ruler that reads 0 everywhere would keep every promise above."""
    code = 'def f(a):\n    """One.\n\n    Two.\n    """\n    # why\n\n    return a\n'
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert source.length_without_docstring(function) == 4
    names = {module.name for module in source.modules()}
    assert {"lms_assets", "lms_assets.domain"} <= names


def test_no_test_has_a_name_of_more_than_80_characters():
    """What a name cannot hold stands in the docstring."""
    tests = [path.read_text(encoding="utf-8") for path in (source.ROOT / "lms_assets_tests").rglob("test_*.py")]
    too_long = [name for text in tests for name in re.findall(r"def (test_\w+)", text) if len(name) > NAME_CHARACTERS]
    assert not too_long, "say the rest in a docstring:\n" + "\n".join(too_long)
