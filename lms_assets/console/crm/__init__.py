"""What stands in the CRM, what was sent to it, and what would be."""
