"""Draws docs/edit.webp: one clip, edited by three prompts at three strengths each.

    python scripts/edits.py

The rows, from above: the clip, then each prompt at each strength, as docs/edit.md lists them.
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

import worldreel
from worldreel.media import Video
from worldreel.output import whole_file

PICTURE = Path(__file__).parents[1] / "docs/edit.webp"
CLIP = "a red ball rolls to the left across a meadow"
PROMPTS = (
    "a blue ball rolls to the left across a meadow",
    "a red ball rolls to the left across a snowfield at night",
    "a yellow cube slides to the right across a meadow",
)
STRENGTHS = (0.3, 0.6, 0.9)
SEED, STEPS, SHOWN = 7, 12, 6
GAP = 6  # pixels between prompts


def row(video: Video) -> np.ndarray:
    """Some frames side by side, H W 3."""
    at = np.linspace(0, len(video) - 1, SHOWN).round().astype(int)
    return np.concatenate(list(video.frames[at]), axis=1)


def main() -> None:
    warnings.simplefilter("ignore", worldreel.RequestWarning)
    model = worldreel.load("marble")
    clip = model.generate(CLIP, size="144x80", seconds=2, seed=SEED, num_inference_steps=STEPS)
    rows = [row(clip)]
    for prompt in PROMPTS:
        rows.append(np.full((GAP, *rows[0].shape[1:]), 255, np.uint8))
        for strength in STRENGTHS:
            made = model.edit(clip, prompt, strength=strength, num_inference_steps=STEPS)
            rows.append(row(made))
    with whole_file(PICTURE) as part:
        Image.fromarray(np.concatenate(rows)).save(part, "WEBP", quality=85, method=6)


if __name__ == "__main__":
    main()
