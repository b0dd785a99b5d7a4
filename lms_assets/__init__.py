"""The Dagster asset graph that keeps a partner portal in step with its LMS and its CRM."""
