"""The machine that races are run on: its matrix product, the operators that ran, the memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from worldreel import __version__
from worldreel.models import processor

Product = tuple[int, int, int]  # rows, summed, columns
SHOWN = 4  # operators of a side that are told
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def about(device: torch.device) -> dict[str, Any]:
    """What a table must say of where it comes from."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found: dict[str, Any] = {
        "worldreel": __version__,
        "torch": torch.__version__,
        "diffusers": _version("diffusers"),
        "machine": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": round(load, 1),
    }
    if device.type == "cuda":
        told = torch.cuda.get_device_properties(device)
        found |= {
            "machine": told.name,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "memory_gib": round(told.total_memory / 2**30),
        }
    return found


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Its name, and what multiplies bf16: races turn out otherwise where that is in tiles."""
    name = platform.processor() or "unknown"
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    kinds = {"amx": "AMX", "avx512_bf16": "AVX-512 bf16"}
    found = kinds.get(processor.multiplier(), torch.backends.cpu.get_cpu_capability())
    return f"{name} ({found})"


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Convolutions of float32 in float32, where a GPU would round their factors."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def wait_for(device: torch.device) -> Callable[[], None]:
    """A function that returns when the device has done all it was given."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


@torch.inference_mode()
def matrix_rate(products: Sequence[Product], dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations per second of the products that a model is made of.

    Each product is taken a few times and its best time counts: what the machine can do when nothing
    comes between.
    """
    wait, work, took = wait_for(device), 0.0, 0.0
    for rows, inner, columns in products:
        x = torch.randn(rows, inner, device=device, dtype=dtype)
        w = torch.randn(columns, inner, device=device, dtype=dtype)
        times = []
        for _ in range(4):  # the first warms up
            wait()
            began = time.perf_counter()
            functional.linear(x, w)
            wait()
            times.append(time.perf_counter() - began)
        work += 2.0 * rows * inner * columns
        took += min(times[1:])
    return work / took


def operators(work: Callable[[], Any], device: torch.device) -> list[dict[str, Any]]:
    """The operators (on CUDA: the kernels) in which a work spends most, and every attention."""
    cuda = device.type == "cuda"
    kinds = [ProfilerActivity.CPU, ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    with profile(activities=kinds, acc_events=True) as seen:
        work()
        wait_for(device)()
    rows = []
    for event in seen.key_averages():
        spent = event.self_device_time_total if cuda else event.self_cpu_time_total
        kernel = not cuda or event.device_type != torch.autograd.DeviceType.CPU
        if spent and kernel:
            rows.append((spent, event.count, event.key))
    rows.sort(reverse=True)
    total = sum(spent for spent, _, _ in rows) or 1
    told = [row for i, row in enumerate(rows) if i < SHOWN or "attention" in row[2]]
    return [
        {"name": name, "share": round(spent / total, 3), "calls": count}
        for spent, count, name in told
    ]


def forget_peak() -> bool:
    """Let the peak of this process's memory begin anew; False where the system cannot.

    What was freed goes back to the system first, or it would be a cushion of unknown size in which
    a side's own needs vanish.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # of the GNU C library alone
        ctypes.CDLL(None).malloc_trim(0)
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def peak_memory() -> int:
    """Bytes that this process held at most, from its start or the last `forget_peak`."""
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
