"""An installation: its files, its first checks, its migration, and what probes ask of it."""
