"""Memory and processor time of each process of a command, looked at a few times a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import psutil

LOOK_SECONDS = 0.1


@dataclass
class Used:
    """The most that one process was seen to use. `began` is Unix time."""

    pid: int
    command: str
    began: float
    peak_mb: float = 0.0
    processor_seconds: float = 0.0


class Watcher(threading.Thread):
    """Looks at a process and everything below it until `end`; `seen` has every process by its id."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._ended = threading.Event()
        self.seen: dict[int, Used] = {}

    def run(self) -> None:
        """Look until the end."""
        while not self._ended.wait(LOOK_SECONDS):
            try:
                family = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                return
            for process in family:
                self._note(process)

    def end(self) -> list[Used]:
        """Stop; every process, the largest first."""
        self._ended.set()
        self.join()
        return sorted(self.seen.values(), key=lambda each: -each.peak_mb)

    def _note(self, process: psutil.Process) -> None:
        try:
            with process.oneshot():
                used = self.seen.get(process.pid)
                if used is None:
                    command = " ".join(process.cmdline())[:60]
                    used = self.seen[process.pid] = Used(process.pid, command, process.create_time())
                times = process.cpu_times()
                used.peak_mb = max(used.peak_mb, process.memory_info().rss / 1e6)
                used.processor_seconds = max(used.processor_seconds, times.user + times.system)
        except psutil.Error:
            pass
