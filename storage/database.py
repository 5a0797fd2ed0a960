"""The one place that opens a DuckDB file, and how it is configured."""

import os
from pathlib import Path

import duckdb

from .errors import StoreError
from .migrate import migrate

MEMORY_LIMIT = "25%"  # of the machine, which the store shares with the training
THREADS = 4
CHECKPOINT_WAL = "64MB"
SPILL_LIMIT = "8GB"  # a careless query must not fill the disk that commits need


BARE: dict[str, bool] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_persistent_secrets": False,
    # Otherwise `select * from x` reads the Python variable x of whoever calls.
    "python_enable_replacements": False,
}
"""DuckDB without what it would load, fetch or read by itself."""


def open_database(path: Path, memory_limit: str = MEMORY_LIMIT) -> duckdb.DuckDBPyConnection:
    """The database at ``path``, created or migrated as needed, its configuration locked.

    External access is off and the configuration cannot be changed any more, whatever SQL
    arrives later. ``memory_limit`` is DuckDB's: "25%" or "4GB". Closing does not checkpoint:
    whoever is sure of what is in memory does. Raises StoreError when the file cannot be
    opened, SchemaTooNew.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "threads": min(THREADS, os.cpu_count() or 1),
        "checkpoint_threshold": CHECKPOINT_WAL,
        "max_temp_directory_size": SPILL_LIMIT,
        "enable_external_access": False,
        **BARE,
    }
    try:
        con = duckdb.connect(path, config=config)
    except duckdb.Error as error:
        raise StoreError(
            f"{path} cannot be opened as a DuckDB database: {error}; docs/store.md says what to do"
        ) from error
    try:
        con.execute("set global TimeZone = 'UTC'")
        con.execute("pragma disable_checkpoint_on_shutdown")
        migrate(con)
        # Last, because it locks even this connection's own settings.
        con.execute("set lock_configuration = true")
    except BaseException:
        con.close()
        raise
    return con
