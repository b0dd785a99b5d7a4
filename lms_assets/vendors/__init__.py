"""How the two vendors are spoken to: HTTP and JSON, no tables and no rules."""
