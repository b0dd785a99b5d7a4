"""The matrix as a table in docs/faults.md: written by `python -m lms_assets_tests.faults.table`, read by the tests."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

from lms_assets_tests.faults.matrix import NOT_HIT, TARGETS, Matrix, Target, exposures, kinds, marks, matrix

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
HIDES_RECORDS = ("page_drift_removed",)
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def row(made: Matrix, kind: str) -> str:
    """One kind's line: what it comes to for each target.

    Raises:
        AssertionError: a cell came to something that must not be.
    """
    return f"| `{kind}` | " + " | ".join(cell(made, kind, target) for target in TARGETS) + " |"


def cell(made: Matrix, kind: str, target: Target) -> str:
    """What a kind comes to for one target, as the table writes it."""
    return marks({each: made.cell(kind, target, each)[0] for each in exposures(kind)})


def sample(kind: str) -> dict[Target, str]:
    """Targets to try, and what the docs show: one for each outcome in the kind's line, another target each kind.

    All of them for what hides records, as that may take something away; lists that are cut short have their own tests.
    """
    outcomes = documented()[kind].split(" | ")[1:]
    line = dict(zip(TARGETS, (each.removesuffix(" |") for each in outcomes), strict=True))
    hit = {target: outcome for target, outcome in line.items() if outcome != NOT_HIT}
    if kind in HIDES_RECORDS:
        return hit
    turn = kinds().index(kind) % len(TARGETS)
    chosen = {hit[target]: target for target in TARGETS[turn:] + TARGETS[:turn] if target in hit}
    return {target: outcome for outcome, target in chosen.items()}


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
