"""What others wrote is shown on a terminal and never obeyed by it."""

from __future__ import annotations

import pytest
import typer

from lms_assets.console.command import finish
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.errors import WarehouseError


@pytest.mark.parametrize(
    "kind", [lambda text: ConfigurationError([text]), lambda text: WarehouseError("sqlite:x", text, "")]
)
@pytest.mark.parametrize("name", ["Larch [/b] GmbH", "[secret]", "[link=https://evil.example]Oak[/link]", "a\\"])
def test_a_problem_that_quotes_a_name_shows_the_name(capsys, kind, name):
    def command() -> int:
        raise kind(f"2 partners have this name: #1 {name} and \x1b]0;another\x07")

    with pytest.raises(typer.Exit):
        finish(command)
    said = capsys.readouterr().err
    assert name in said
    assert "\x1b]" not in said
