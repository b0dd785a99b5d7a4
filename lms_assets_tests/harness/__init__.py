"""What tests lean on: real servers, started and ended here."""
