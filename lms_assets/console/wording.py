"""Figures as people read them."""

from __future__ import annotations


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
