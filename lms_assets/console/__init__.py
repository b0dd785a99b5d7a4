"""What the commands show on a terminal. Thin: no rules, no SQL, no HTTP."""
