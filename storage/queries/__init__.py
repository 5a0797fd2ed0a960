"""The named queries, one SQL file each."""
