"""The compose file as the tests read it."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
SERVICES = ("store", "ray-head", "ray-worker", "dashboard")
"""Those that run without a GPU, in the order in which they start."""
TOKENS = ("ray-token", "store-token", "store-read-token")
VOLUMES = ("store", "backups", "archive", "checkpoints", "reports")


def compose() -> dict[str, Any]:
    """The compose file with its variables at their defaults."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", FILE.read_text())
    content: dict[str, Any] = YAML(typ="safe").load(text)
    return content


SPECS: dict[str, Any] = compose()["services"]
