"""The versions that decide about the bytes of a report."""

import importlib.metadata

VERSION = importlib.metadata.version("talweg")
GENERATOR = f"talweg {VERSION}"


def versions(*libraries: str) -> dict[str, str]:
    """Library -> its installed version, talweg's own first."""
    return {name: importlib.metadata.version(name) for name in ("talweg", *libraries)}
