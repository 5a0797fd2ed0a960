"""Sweeps that have ended go into the folder of archives by themselves, where there is one."""

import shutil
from pathlib import Path

from ..storage.client import Client
from ..storage.errors import ArchiveError, StoreError


def keep(client: Client, sweep_id: str, folder: Path) -> str:
    """Archive a sweep that has ended as ``folder/SWEEP_ID``, in place of an earlier archive.

    Returns a sentence for people: a sweep does not fail because its archive could not be made.
    """
    from ..storage.archive_export import export

    target = folder / sweep_id
    if _holds(client, sweep_id, target):
        return f"Archive: {target} holds these results already"
    fresh, old = (folder / f".{sweep_id}.{word}" for word in ("new", "old"))
    try:
        for left in (fresh, old):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        export(client, [sweep_id], fresh)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except (ArchiveError, StoreError, OSError) as error:
        return f"Archive: none was made: {error}"
    return f"Archive: {target}"


def _holds(client: Client, sweep_id: str, folder: Path) -> bool:
    """Whether the archive there has the contents that the store has now."""
    from ..storage import archive

    try:
        archived = archive.read_manifest(folder).sweeps.get(sweep_id)
        now = client.query("fingerprint", {"sweep_id": sweep_id}).to_pylist()
    except (ArchiveError, StoreError):
        return False
    return archive.content(row.values() for row in now) == archived
