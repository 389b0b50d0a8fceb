"""Room 1: raw media -> seed pool."""
