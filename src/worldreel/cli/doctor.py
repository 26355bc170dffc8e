"""`worldreel doctor`: what this machine offers, what is missing, and how to get it."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.extras import command

app = typer.Typer(add_completion=False)

USEFUL = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "neon", "asimd", "bf16")


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what this machine offers, and what is missing."""
    found = examine()
    if as_json:
        print(json.dumps(found))
        return
    for topic, facts in found.items():
        if isinstance(facts, dict):
            print(f"{topic}:")
            for name, fact in facts.items():
                print(f"  {name}: {_said(fact)}")
        else:
            print(f"{topic}: {_said(facts)}")


def examine() -> dict[str, Any]:
    """Everything that `worldreel doctor` knows, as plain JSON values."""
    from worldreel import __version__

    return {
        "worldreel": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu(),
        "torch": _torch(),
        "dtype": _dtype(),
        "processes": _processes(),
        "compiler": _compiler(),
        "encoders": _encoders(),
        "memory": _memory(),
        "disk": {"free_gib": round(shutil.disk_usage(".").free / 2**30, 1)},
        "extras": _extras(),
    }


def _dtype() -> dict[str, Any]:
    """The number format that models compute in here, why, and what the CPU's matrix product does
    in each: told, not asked, because the same seed must always give the same frames."""
    import torch

    from worldreel.device import best_dtype

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype, why = best_dtype(device)
    rates = {n: round(matrix_rate(getattr(torch, n)), 1) for n in ("float32", "bfloat16")}
    return {"use": str(dtype).removeprefix("torch."), "why": why, "cpu_gflops": rates}


def _torch() -> dict[str, Any]:
    import torch

    devices = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        about = torch.cuda.get_device_properties(index)
        devices.append(f"{about.name}, {about.total_memory / 2**30:.0f} GiB")
    return {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "cuda": devices,
        "onednn_max_cpu_isa": os.environ.get("ONEDNN_MAX_CPU_ISA", "not set"),
    }


def _processes() -> dict[str, Any]:
    """How several processes could paint together here."""
    import torch

    from worldreel.parallel import backends

    return {
        "gpus": torch.cuda.device_count(),
        "speak through": [name for name, here in backends().items() if here],
        "start": "torchrun --nproc-per-node N -m worldreel generate ... (docs/wan.md)",
    }


def matrix_rate(dtype: Any, seconds: float = 0.3) -> float:
    """Gflop per second of the CPU's matrix product, after one product to warm up."""
    import torch

    n = 768
    a, b = (torch.ones(n, n, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    count, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds or not count:
        torch.mm(a, b)
        count += 1
    return 2 * n**3 * count / passed / 1e9


def cpu() -> dict[str, Any]:
    info = ""
    with contextlib.suppress(OSError):
        info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)
    have = set(flags[1].split()) if flags else set()
    return {
        "model": model[1] if model else platform.processor() or "unknown",
        "cores": os.cpu_count(),
        "instructions": [name for name in USEFUL if name in have],
    }


def _compiler() -> dict[str, Any]:
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++", "cl")
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    if path:
        return {"path": path}
    return {"path": None, "note": "everything runs without one; rendering is slower"}


def _encoders() -> dict[str, Any]:
    from worldreel.media import ENCODERS, encoder, has_encoder

    have = {name: has_encoder(name) for name, _, _ in ENCODERS}
    return {**have, "mp4 uses": encoder()[0] if any(have.values()) else None}


def _memory() -> dict[str, float]:
    facts = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("MemTotal", "MemAvailable"):
                facts[f"{name[3:].lower()}_gib"] = round(int(value.split()[0]) / 2**20, 1)
    return facts


def _extras() -> dict[str, Any]:
    """Optional parts as the installed package lists them; {} when it runs from its sources."""
    try:
        required = importlib.metadata.requires("worldreel") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    extras: dict[str, list[str]] = {}
    for line in required:
        extra = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", line)
        wanted = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line)
        if extra and wanted:
            # worldreel[a,b] inside an extra stands for other extras
            inner = (wanted[2] or "").split(",") if wanted[1] == "worldreel" else ()
            more = [package for name in inner for package in extras.get(name, [])]
            extras.setdefault(extra[1], []).extend(more if inner else [wanted[1]])
    return {name: _extra(name, packages) for name, packages in sorted(extras.items())}


def _extra(name: str, packages: list[str]) -> str:
    missing = []
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    if not missing:
        return "installed"
    return f"missing {', '.join(missing)}: {command(name)}"


def _said(fact: Any) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_said(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        return ", ".join(map(str, fact)) or "none"
    return "none" if fact is None else str(fact)
