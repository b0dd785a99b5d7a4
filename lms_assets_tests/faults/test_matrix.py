"""Every kind of fault against everything it can hit; docs/faults.md shows what comes of it.

A line that differs: run `python -m lms_assets_tests.faults.table {kind}` and look at what changed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lms_assets_tests.faults.matrix import Matrix, kinds, matrix
from lms_assets_tests.faults.table import cell, documented, row, sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """One matrix for all kinds."""
    with matrix(tmp_path_factory.mktemp("matrix")) as found:
        yield found


@pytest.mark.parametrize("kind", kinds())
def test_each_outcome_of_a_kind_is_found_where_the_docs_show_it(made: Matrix, kind: str) -> None:
    """One target for each different outcome in the kind's line."""
    wanted = sample(kind)
    assert {target: cell(made, kind, target) for target in wanted} == wanted


@pytest.mark.long
@pytest.mark.parametrize("kind", kinds())
def test_nothing_is_wrongly_taken_away_and_each_outcome_is_the_one_in_the_docs(made: Matrix, kind: str) -> None:
    assert row(made, kind) == documented().get(kind)
