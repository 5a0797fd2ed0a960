"""Devices by name, and what a worker tells torch about its share of one."""

import platform
from pathlib import Path

import torch


def prepare(device: str, gpu_share: float | None, *, tf32: bool) -> None:
    """Keep a GPU's worker to its share of memory, and set the precision of its products."""
    if torch.device(device).type != "cuda":
        return
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    if gpu_share is not None:
        torch.cuda.set_per_process_memory_fraction(gpu_share)


def name_of(device: str) -> str:
    """``cpu: AMD EPYC 9654``, ``cuda: NVIDIA H100``: calibrations hold for one of them."""
    kind = torch.device(device).type
    return f"{kind}: {torch.cuda.get_device_name() if kind == 'cuda' else _processor()}"


def _processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
