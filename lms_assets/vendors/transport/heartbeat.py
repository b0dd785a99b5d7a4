"""The heartbeat: one call that says "the chain came through", so that an outside watcher notices when none comes."""

from __future__ import annotations

import requests

SECONDS = 10


def beat(url: str) -> str | None:
    """Call the URL; None when it answered well, else what went wrong, without the URL, which is a secret."""
    try:
        answer = requests.get(url, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return f"the heartbeat URL could not be called ({type(error).__name__})"
    return None if answer.ok else f"the heartbeat URL answered {answer.status_code}"
