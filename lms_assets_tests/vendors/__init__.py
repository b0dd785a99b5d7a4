"""The vendor clients over real HTTP, against a server that answers as each test says."""
