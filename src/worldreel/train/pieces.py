"""A folder of weights in pieces of a bounded size, for ways on which large files do not travel."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from worldreel.errors import CheckpointError

PIECE = 15 * 2**20  # bytes


def write(folder: Path, out: Path, name: str, *, piece: int = PIECE) -> dict[str, Any]:
    """`out`/name.00, .01 and so on, and name.json, written last, which tells what they make."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(folder, arcname=".")
    data = stream.getvalue()
    out.mkdir(parents=True, exist_ok=True)
    parts = [data[at : at + piece] for at in range(0, len(data), piece)]
    for number, part in enumerate(parts):
        (out / f"{name}.{number:02d}").write_bytes(part)
    about = {"name": name, "pieces": len(parts), "sha256": hashlib.sha256(data).hexdigest()}
    (out / f"{name}.json").write_text(json.dumps(about) + "\n", "utf-8")
    return about


def join(out: Path, folder: Path) -> dict[str, Any]:
    """The last folder, by name, of which there are pieces; whole, or a CheckpointError."""
    found = [json.loads(file.read_text("utf-8")) for file in sorted(out.glob("*.json"))]
    found = [about for about in found if "pieces" in about]
    if not found:
        raise CheckpointError(f"{out} has no pieces of a model: give the folder that they are in")
    about = found[-1]
    files = [out / f"{about['name']}.{number:02d}" for number in range(about["pieces"])]
    missing = [file.name for file in files if not file.exists()]
    data = b"" if missing else b"".join(file.read_bytes() for file in files)
    if hashlib.sha256(data).hexdigest() != about["sha256"]:
        wrong = f"{missing[0]} is missing" if missing else "a piece is damaged"
        raise CheckpointError(f"{out}: {wrong}: fetch the pieces again")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(folder, filter="data")
    return {"name": about["name"], "folder": str(folder)}
