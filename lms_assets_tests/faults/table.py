"""The matrix as a table in docs/faults.md: written by `python -m lms_assets_tests.faults.table`, read by the tests."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

from lms_assets_tests.faults.matrix import TARGETS, Matrix, exposures, kinds, marks, matrix

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def row(made: Matrix, kind: str) -> str:
    """One kind's line: what it comes to for each target.

    Raises:
        AssertionError: a cell came to something that must not be.
    """
    cells = [marks({each: made.cell(kind, target, each)[0] for each in exposures(kind)}) for target in TARGETS]
    return f"| `{kind}` | " + " | ".join(cells) + " |"


def head() -> list[str]:
    """The table's first two lines."""
    names = " | ".join(target.name for target in TARGETS)
    return [f"| fault | {names} |", "|---" * (len(TARGETS) + 1) + "|"]


def documented() -> dict[str, str]:
    """Kind to its line in the docs."""
    text = PAGE.read_text(encoding="utf-8")
    lines = text[text.index(BEGIN) : text.index(END)].splitlines()
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def main() -> None:
    """Write the table, or only the lines of the kinds given as arguments."""
    warnings.simplefilter("ignore")
    known = documented()
    with tempfile.TemporaryDirectory() as folder, matrix(Path(folder)) as made:
        for kind in sys.argv[1:] or kinds():
            known[kind] = row(made, kind)
            print(known[kind], flush=True)
    text = PAGE.read_text(encoding="utf-8")
    lines = [*head(), *(known[kind] for kind in kinds() if kind in known)]
    PAGE.write_text(
        text[: text.index(BEGIN)] + BEGIN + "\n" + "\n".join(lines) + "\n" + text[text.index(END) :], encoding="utf-8"
    )


if __name__ == "__main__":
    main()
