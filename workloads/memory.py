"""Memory that a process may keep: asking the kernel for it anew costs more than the arithmetic.

A step allocates and frees the same few hundred kilobytes thousands of times a second. glibc
hands such blocks back to the kernel at each free and gets them page by page again, zeroed:
ten times the cost of the sum that is stored there (measured on a virtual machine).
"""

import ctypes
import ctypes.util

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**28


def keep() -> None:
    """Let freed memory, up to 256 MiB of it, stay with this process; glibc only, else nothing."""
    name = ctypes.util.find_library("c")
    mallopt = getattr(ctypes.CDLL(name), "mallopt", None) if name else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
