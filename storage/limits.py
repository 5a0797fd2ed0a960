"""What the process of a store may take of its machine: memory, open files, no core dumps."""

import os
import resource
from pathlib import Path

MEMORY_SHARE = 0.5
"""Of the machine's memory, or of the container's."""

STACK_BYTES = 8 * 2**30
"""Address space, of which little is ever memory: the stacks of a thousand threads."""

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def set_limits() -> None:
    """Bound this process; beyond, an allocation fails, and with it the call that made it.

    DuckDB counts only part of what a query takes, and a few bytes on the wire can unpack to
    terabytes: without this bound the kernel would end this process, or one beside it. As many
    files as the system allows, for each connection is one. No core dumps: tokens are in memory.
    """
    bound = int(memory_bytes() * MEMORY_SHARE) + STACK_BYTES
    _lower(resource.RLIMIT_DATA, bound)
    _lower(resource.RLIMIT_CORE, 0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def memory_bytes(cgroup: Path = _CGROUP) -> int:
    """Memory of the container, else of the machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(cgroup.read_text()))
    except (OSError, ValueError):  # no container, or "max"
        return machine


def _lower(which: int, bound: int) -> None:
    """Set the soft limit, unless somebody has set a lower one."""
    soft, hard = resource.getrlimit(which)
    known = [value for value in (soft, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(which, (min([bound, *known]), hard))
