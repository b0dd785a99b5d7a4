"""How full a vendor's pipe was: calls by second, what is lost against the limit, and what ran meanwhile. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path

from benchmarks.vendors import Call


@dataclass(frozen=True)
class Span:
    """A step while it ran, Unix times."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True)
class Gap:
    """A second or more without a call, in seconds since the command was started, and the steps that ran in it."""

    begin: float
    seconds: float
    waited_for: str


@dataclass(frozen=True)
class Pipe:
    """One vendor's part of a run.

    `idle`: seconds without any call. `lost`: seconds that the calls would have needed less at the limit, by what ran
    then. `gaps`: where there was no call for a second or more, the start and the end included.
    """

    calls: int
    most_in_a_second: int
    refused: int
    reached: float
    idle: int
    lost: dict[str, float]
    gaps: list[Gap]


def waiting(arrivals: Iterable[float], latency: float) -> float:
    """Seconds in which at least one of these calls waited for its answer."""
    seconds, until = 0.0, 0.0
    for at in sorted(arrivals):
        seconds += max(0.0, at + latency - max(at, until))
        until = max(until, at + latency)
    return seconds


def phases_of(begin: float, made: float, spans: Sequence[Span], waited: float, end: float) -> dict[str, float]:
    """Where the seconds of a run went; the waiting is part of the others, nearly all of it of the steps."""
    first, last = min(each.begin for each in spans), max(each.end for each in spans)
    phases = {
        "until the run was made (imports)": made - begin,
        "until its first step": first - made,
        "in steps": last - first,
        "after them": end - last,
        "of all waiting for vendors": waited,
    }
    return {name: round(seconds, 2) for name, seconds in phases.items()}


def pipe_of(calls: Sequence[Call], spans: Sequence[Span], begin: float, end: float, limit: int) -> Pipe:
    """One vendor's calls from the first moment of the run to its last."""
    seconds = ceil(end - begin)
    by_second = Counter(int(call.at - begin) for call in calls)
    lost: defaultdict[str, float] = defaultdict(float)
    for second in range(seconds):
        unused = (1 - min(1.0, by_second[second] / limit)) if limit else 0.0
        running = _running(spans, begin + second)
        for name in running:
            lost[name] += unused / len(running)
    busy = (calls[-1].at - calls[0].at) if len(calls) > 1 else 0.0
    return Pipe(
        calls=len(calls),
        most_in_a_second=_most_in_a_second([call.at for call in calls]),
        refused=sum(call.status == 429 for call in calls),
        reached=round(len(calls) / busy, 2) if busy else 0.0,
        idle=sum(second not in by_second for second in range(seconds)),
        lost={
            name: round(value, 1) for name, value in sorted(lost.items(), key=lambda each: -each[1]) if value >= 0.05
        },
        gaps=list(_gaps([call.at for call in calls], spans, begin, end)),
    )


def _gaps(times: Sequence[float], spans: Sequence[Span], begin: float, end: float) -> Iterator[Gap]:
    marks = [begin, *times, end]
    for last, following in pairwise(marks):
        if following - last >= 1:
            ran = [
                span.name
                for span in sorted(spans, key=lambda each: each.begin)
                if last < span.end and span.begin < following
            ]
            waited_for = ", ".join(ran) or ("the command's start" if last == begin else "no step")
            yield Gap(round(last - begin, 1), round(following - last, 1), waited_for)


def _running(spans: Iterable[Span], second: float) -> list[str]:
    found = [span.name for span in spans if span.begin < second + 1 and span.end > second]
    # A check costs what it costs; which one it was says the log.
    steps = [name for name in found if not name.endswith("_checks")]
    return steps or found or ["between steps"]


def _most_in_a_second(times: Sequence[float]) -> int:
    most, first = 0, 0
    for last, moment in enumerate(times):
        while times[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def draw(path: Path, calls: Sequence[Call], spans: Sequence[Span], begin: float, end: float, limit: int) -> None:
    """Calls a second of each vendor over time, by endpoint, and below them the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 1, sharex=True, figsize=(14, 9), height_ratios=(3, 3, 2))
    seconds = range(ceil(end - begin))
    for axis, vendor in zip(axes[:2], ("northpass", "impartner"), strict=True):
        by_endpoint: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for call in calls:
            if call.vendor == vendor:
                by_endpoint[call.endpoint][int(call.at - begin)] += 1
        below = [0] * len(seconds)
        for endpoint, counted in sorted(by_endpoint.items(), key=lambda each: min(each[1])):
            heights = [counted[second] for second in seconds]
            axis.bar(seconds, heights, bottom=below, width=1.0, label=endpoint, align="edge")
            below = [low + height for low, height in zip(below, heights, strict=True)]
        axis.axhline(limit, color="black", linewidth=0.7)
        axis.set_ylabel(f"{vendor}: calls a second")
        if by_endpoint:
            axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, frameon=False)
    steps = [span for span in sorted(spans, key=lambda each: each.begin) if not span.name.endswith("_checks")]
    for place, span in enumerate(steps):
        axes[2].barh(place, span.end - span.begin, left=span.begin - begin, color="#4477aa")
    axes[2].set_yticks(range(len(steps)), [span.name for span in steps], fontsize=7)
    axes[2].invert_yaxis()
    axes[2].set_xlabel("seconds since the command was started")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
