"""Where a model computes, and in what numbers."""

import torch

from worldreel.errors import RequestError
from worldreel.models import processor

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def best_dtype(device: torch.device) -> tuple[torch.dtype, str]:
    """bfloat16 where the hardware multiplies it, else float32; and why.

    By what the hardware says of itself and not by a stopwatch: the same machine must always choose
    the same, or the same seed would not give the same frames.
    """
    if device.type == "cuda":
        return torch.bfloat16, "a CUDA device multiplies it"
    if name := processor.multiplier():
        return torch.bfloat16, f"this processor has {name}"
    if processor.multiplier(capped=False):
        return torch.float32, (
            f"ONEDNN_MAX_CPU_ISA={processor.cap()} leaves no instruction for bfloat16"
        )
    return torch.float32, "this processor has neither avx512_bf16 nor amx for bfloat16"


def find_device(name: str) -> torch.device:
    """A device by its name; "auto" is CUDA where there is some."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise RequestError(f"unknown device {name!r}: one of auto, cpu, cuda, cuda:1 and so on")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RequestError(f"this machine has no {name}: `worldreel doctor` tells what it has")
    return device
