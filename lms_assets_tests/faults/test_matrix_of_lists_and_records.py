"""Every kind of fault against everything it can hit, second half; docs/faults.md shows what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lms_assets_tests.faults.matrix import Matrix, kinds, matrix
from lms_assets_tests.faults.table import documented, row

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """One matrix for all kinds."""
    with matrix(tmp_path_factory.mktemp("matrix")) as found:
        yield found


@pytest.mark.parametrize("kind", kinds()[len(kinds()) // 2 :])
def test_nothing_is_wrongly_taken_away_and_each_outcome_is_the_one_in_the_docs(made: Matrix, kind: str) -> None:
    """A line that differs: run `python -m lms_assets_tests.faults.table {kind}` and look at what changed."""
    assert row(made, kind) == documented().get(kind)
