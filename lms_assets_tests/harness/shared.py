"""What takes long to make and is only copied: made by one of pytest's workers, for all of them."""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
_folders: list[Path] = []


def share_in(folder: Path) -> None:
    """Hand such things over to the other workers of this run through files in a folder that all of them know."""
    _folders[:] = [folder]


def made_once(name: str, make: Callable[[], Made]) -> Made:
    """What `make` gives; where there are other workers, the first that asks makes it and the others load it."""
    if not _folders:
        return make()
    with (_folders[0] / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = _folders[0] / f"{name}.pickle"
        if path.exists():
            found: Made = pickle.loads(path.read_bytes())
            return found
        made = make()
        path.write_bytes(pickle.dumps(made))
        return made
