"""The studies' small twins: the same question on a grid that trains in seconds."""
