"""Asset checks, a module per tier: what must be true before the next tier may start."""
