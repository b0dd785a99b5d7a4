"""`lms-assets sandbox`: both vendors, served locally until interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.console import Console

from lms_assets.sandbox.config import IMPARTNER_KEY, IMPARTNER_TENANT, NORTHPASS_KEY, SandboxConfig
from lms_assets.sandbox.server.server import serve
from lms_assets.settings import ConfigurationError


@dataclass(frozen=True)
class SandboxOptions:
    """What the person asked for; `now` is ISO 8601 with a zone, the limit in requests per second."""

    port: int
    seed: int
    scale: float
    northpass_rps: int
    latency_ms: float
    now: str | None


def sandbox_command(console: Console, options: SandboxOptions) -> int:
    """Serve until interrupted; returns 0.

    Raises:
        ConfigurationError: an option cannot be used.
    """
    try:
        config = SandboxConfig(
            seed=options.seed,
            scale=options.scale,
            northpass_rps=options.northpass_rps,
            latency_ms=options.latency_ms,
            now=datetime.fromisoformat(options.now) if options.now else None,
        )
        serve(config, "127.0.0.1", options.port, ready=lambda url: _tell(console, url))
    except (ValueError, OSError) as error:
        raise ConfigurationError([f"sandbox: {error}"]) from error
    return 0


def _tell(console: Console, url: str) -> None:
    console.print(f"Both vendors are served on [bold]{url}[/] (what it serves and how to steer it: open that page)")
    console.print("Use it with:", highlight=False)
    for line in (
        f"NORTHPASS_BASE_URL={url}/v2",
        f"NORTHPASS_API_KEY={NORTHPASS_KEY}",
        f"IMPARTNER_BASE_URL={url}/api/objects/v1",
        f"IMPARTNER_API_KEY={IMPARTNER_KEY}",
        f"IMPARTNER_TENANT_ID={IMPARTNER_TENANT}",
    ):
        console.print(f"  export {line}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends it.", highlight=False)
