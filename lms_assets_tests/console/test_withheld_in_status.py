"""`lms-assets status` names the partners that are not pushed."""

from __future__ import annotations

import io

from rich.console import Console

from lms_assets.console.commands.status import print_withheld
from lms_assets.domain.safety.withheld import WithheldReason


def test_ten_partners_are_named_and_the_rest_counted() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_withheld(console, {number: (WithheldReason("kind", f"reason [{number}]"),) for number in range(1, 13)})
    text = console.export_text()
    assert "Not sent to the CRM: 12 partners" in text
    assert "partner 10: reason [10]" in text
    assert "partner 11" not in text
    assert "and 2 more" in text


def test_nothing_is_printed_when_all_are_pushed() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_withheld(console, {})
    assert console.export_text() == ""
