"""Figures and texts of others as people read them on a terminal."""

from __future__ import annotations

from rich.markup import escape

from lms_assets.domain.wording import visible

MARKS = {
    "waiting": "[dim]·[/]",
    "running": "[cyan]▸[/]",
    "retrying": "[yellow]↻[/]",
    "completed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "degraded": "[yellow]![/]",
    "blocked": "[yellow]–[/]",
}
STATUS_STYLES = {"completed": "green", "partial": "yellow", "failed": "red", "running": "cyan"}


def quoted(text: object) -> str:
    """The text for a line with markup of ours: what looks like markup in it is shown, not obeyed."""
    return escape(visible(text))


def seconds_text(seconds: float | None) -> str:
    """A span of time: `4.2 s`, `3 min 05 s`, `2 h 10 min`; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
