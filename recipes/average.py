"""The average of some weights of one walk, such as the ends of its legs.

    python -m recipes.average OUT FOLDER:SHARE FOLDER:SHARE ...

Shares are of one another: 1, 1 and 2 are a quarter, a quarter and a half. Weights that training
went through one after the other have an average that is better than each of them (2203.05482);
marble's transformer is one (docs/LOG.md). The last folder's provenance is kept, with what was
averaged.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from worldreel import checkpoint
from worldreel.errors import RequestError, WorldreelError


def average(out: Path, parts: Sequence[tuple[Path, float]], *, storage: str = "fp32") -> Path:
    """Write the mean of transformers of one shape, by shares; a RequestError says what is odd."""
    if len(parts) < 2:
        raise RequestError("an average is of two folders at least, each with its share")
    whole = sum(share for _, share in parts)
    if not all(0 < share < math.inf for _, share in parts):
        raise RequestError("shares must be above 0, and finite: FOLDER:SHARE")
    held = [checkpoint.load(folder, kind="dit") for folder, _ in parts]
    first, last = held[0], held[-1]
    for (folder, _), one in zip(parts, held, strict=True):
        if one.config != first.config:
            raise RequestError(f"{folder} is of another shape than {parts[0][0]}: give one walk's")
    shares = torch.tensor([share / whole for _, share in parts], dtype=torch.float64)
    tensors = {
        name: torch.einsum(
            "n,n...->...", shares, torch.stack([one.tensors[name].double() for one in held])
        ).to(tensor.dtype)
        for name, tensor in first.tensors.items()
    }
    averaged = [
        {"recipe": one.provenance.get("recipe"), "steps": one.provenance.get("steps"),
         "share": share / whole}
        for one, (_, share) in zip(held, parts, strict=True)
    ]  # fmt: skip
    return checkpoint.save(
        out, kind="dit", config=last.config, tensors=tensors, storage=storage,
        provenance={**last.provenance, "averaged": averaged},
    )  # fmt: skip


def _part(text: str) -> tuple[Path, float]:
    folder, _, share = text.rpartition(":")
    try:
        return Path(folder), float(share) if folder else math.nan
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not FOLDER:SHARE, as in runs/a:1") from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.average", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", type=_part, nargs="+", metavar="FOLDER:SHARE")
    parser.add_argument("--storage", choices=checkpoint.STORAGES, default="fp32")
    chosen = parser.parse_args(arguments)
    try:
        made = average(chosen.out, chosen.parts, storage=chosen.storage)
    except WorldreelError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    about = checkpoint.load(made, kind="dit")
    print(json.dumps({"folder": str(made), "averaged": about.provenance["averaged"]}))


if __name__ == "__main__":
    main()
