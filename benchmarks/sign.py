"""What a signed manifest costs: CPU time and bytes for each kind of file, and what verify takes.

    python benchmarks/sign.py [--runs 20]

A clip of 4 seconds at 256x144, a still for .png. CPU time of this process, which other work on the
machine hardly changes; the first signature of a process also loads the library.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from worldreel import credentials
from worldreel.cli.verify import examine
from worldreel.media import Video
from worldreel.provenance import SWITCH

WIDTH, HEIGHT, FRAMES = 256, 144, 48
KINDS = (".mp4", ".gif", ".webp", ".png", "folder")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    moving = [np.stack([x + 4 * i, y, x + y], -1).astype(np.uint8) for i in range(FRAMES)]
    print("| file | sign | verify | bytes more |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as held:
        first = cpu(Video(moving[0][None]).save, Path(held) / "first.png")
        for kind in KINDS:
            plain, file = (
                Path(held) / f"{name}{kind if kind.startswith('.') else ''}"
                for name in ("plain", "clip")
            )
            video = Video(np.stack(moving[:1] if kind == ".png" else moving))
            os.environ[SWITCH] = "0"
            video.save(plain)
            del os.environ[SWITCH]
            signing = []
            for _ in range(runs):
                fresh(plain, file)
                signing.append(cpu(credentials.sign, file, kind, {}))
            verifying = [cpu(examine, str(file)) for _ in range(runs)]
            took = (f"{1000 * statistics.median(s):.1f} ms" for s in (signing, verifying))
            print(f"| {kind} | {' | '.join(took)} | {size(file) - size(plain):,} |")
    print(f"the first file of a process: {1000 * first:.0f} ms")


def cpu(work: Callable[..., object], *given: Any) -> float:
    """Seconds of this process's CPU time."""
    started = time.process_time()
    work(*given)
    return time.process_time() - started


def fresh(plain: Path, file: Path) -> None:
    """An unsigned copy."""
    if plain.is_dir():
        shutil.copytree(plain, file, dirs_exist_ok=True)
    else:
        shutil.copy(plain, file)


def size(file: Path) -> int:
    return sum(part.stat().st_size for part in ([*file.iterdir()] if file.is_dir() else [file]))


if __name__ == "__main__":
    main()
