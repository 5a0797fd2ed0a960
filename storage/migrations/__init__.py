"""The tables, as numbered, transactional SQL files."""
