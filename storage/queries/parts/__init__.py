"""Common table expressions that several named queries include."""
