"""What this processor multiplies bfloat16 with, where oneDNN takes the products."""

from __future__ import annotations

import os

import torch

# Values of ONEDNN_MAX_CPU_ISA under which oneDNN has no instruction that multiplies bfloat16, and
# those under which it has some, but no tiles.
_NO_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
_NO_TILES = (*_NO_BF16, "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512")


def cap() -> str:
    """The value of ONEDNN_MAX_CPU_ISA, or nothing."""
    return os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""


def multiplier(*, capped: bool = True) -> str:
    """ "amx", "avx512_bf16", or nothing. capped: as far as ONEDNN_MAX_CPU_ISA leaves it in use."""
    if not torch.backends.mkldnn.is_available():
        return ""
    limit = cap().upper() if capped else ""
    if torch.cpu._is_amx_tile_supported() and limit not in _NO_TILES:
        return "amx"
    if torch.cpu._is_avx512_bf16_supported() and limit not in _NO_BF16:
        return "avx512_bf16"
    return ""
