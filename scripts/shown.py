"""What marble makes, unselected: docs/marble.webp, which the README shows, and 64 seeds.

    python scripts/shown.py [--model marble]

docs/marble.webp plays the sentences below, the seed of each its place in the list. docs/card/
seeds.webp is the middle of 64 clips of the whole world (seeds 0 to 63), docs/card/seeds.md their
sentences. Some minutes on two cores; needs MuJoCo.
"""

from __future__ import annotations

import argparse
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from worldreel.cli.progress import progress
from worldreel.engine import Engine, load
from worldreel.eval.cases import SIZE, cases
from worldreel.output import whole_file
from worldreel.request import RequestWarning

ROOT = Path(__file__).parents[1]
SENTENCES = (
    "a red ball rolls to the left across a meadow",
    "a blue cube slides to the right on a wooden table",
    "a yellow cone rests on a snowfield at sunset while the camera orbits to the right",
    "a green ball falls onto a wooden table and bounces",
    "a purple cylinder slides towards the camera on a wet street at night",
    "a pink ball rolls to the right and hits an orange cube in a meadow",
    "a red dragon flies to the left over the desert",
    "a white ship sails to the right along a sandy coast",
    "a brown mammoth walks to the left on a snowfield",
    "a woman in blue walks to the right on a wet street at night",
    "an orange fish swims to the left in a coral reef",
    "a black car drives to the right in the desert",
)
ACROSS, LABEL = 3, 36  # clips beside each other, and pixels below each
SEEDS, BROAD = 64, 8
QUALITY, MILLISECONDS = 70, 83


def clip(model: Engine, sentence: str, seed: int) -> np.ndarray:
    """F H W 3 uint8."""
    size = "x".join(map(str, SIZE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RequestWarning)
        return model.generate(sentence, size=size, seconds=2, seed=seed).frames


def sheet(pictures: Sequence[np.ndarray], labels: Sequence[str], across: int) -> Image.Image:
    high, wide = pictures[0].shape[:2]
    below = LABEL if any(labels) else 0
    image = Image.new("RGB", (across * wide, -(-len(pictures) // across) * (high + below)), "white")
    pen = ImageDraw.Draw(image)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x, y = number % across * wide, number // across * (high + below)
        image.paste(Image.fromarray(picture), (x, y))
        pen.multiline_text((x + 2, y + high), broken(label, wide), fill="black", font_size=9)
    return image


def broken(label: str, width: int) -> str:
    return "\n".join(textwrap.wrap(label, width * 10 // 47))


def moving(made: Sequence[np.ndarray], file: Path) -> None:
    frames = [sheet(at, SENTENCES, ACROSS) for at in zip(*made, strict=True)]
    with whole_file(file) as part:
        frames[0].save(
            part, format="WEBP", save_all=True, append_images=frames[1:],
            duration=MILLISECONDS, loop=0, quality=QUALITY,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="marble")
    model = load(parser.parse_args().model)
    with progress() as told:
        made = []
        for seed, sentence in enumerate(SENTENCES):
            told("sentences", seed, len(SENTENCES))
            made.append(clip(model, sentence, seed))
        moving(made, ROOT / "docs/marble.webp")
        asked = [one.prompts["en"].text for one in cases(SEEDS, 0, told)]
        middles = []
        for seed, sentence in enumerate(asked):
            told("seeds", seed, len(asked))
            frames = clip(model, sentence, seed)
            middles.append(frames[len(frames) // 2])
    folder = ROOT / "docs/card"
    with whole_file(folder / "seeds.webp") as part:
        sheet(middles, [""] * SEEDS, BROAD).save(part, format="WEBP", quality=QUALITY)
    lines = "\n".join(f"{seed}. {sentence}" for seed, sentence in enumerate(asked))
    (folder / "seeds.md").write_text(PAGE + lines + "\n", encoding="utf-8")


PAGE = """# 64 seeds, unselected

The middle of a clip of marble's for each of the first 64 scenes of the whole plain world, row by
row (`python scripts/shown.py`).

![64 clips](seeds.webp)

"""

if __name__ == "__main__":
    main()
