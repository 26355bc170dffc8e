"""A naming test of the world: single pictures without words, and apart from them the answers.

    python scripts/quiz.py --out out/quiz --count 60 --seed 900000

Writes the middle frame of COUNT random scenes of the ordinary mix as OUT/01.png, 02.png …, sheets
of twelve with the same numbers, and OUT-answers.json: for each number its seed, subject, what else
there is, setting, light, weather, style. A reader names subject and setting of each picture before
looking there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from worldreel.world.act import stage_scene
from worldreel.world.render import Render, render
from worldreel.world.scene import Take

SIZE = (256, 144)
ACROSS, DOWN = 3, 4  # pictures of a sheet
LABEL = 14  # pixels above each picture of a sheet


def middle(take: Take) -> Image.Image:
    shown = np.array([take.num_frames // 2])
    made = render(take.at(shown), size=SIZE, samples=4)
    assert isinstance(made, Render)
    return Image.fromarray(made.frames[0])


def answer(seed: int, take: Take) -> dict[str, object]:
    scene = take.scene
    subject, *others = (f"{thing.color} {thing.kind}, {thing.action}" for thing in scene.things)
    direction = scene.things[0].direction
    return {
        "seed": seed,
        "subject": subject if direction is None else f"{subject} {direction}",
        "others": others,
        "setting": scene.setting,
        "light": scene.light,
        "weather": scene.weather,
        "style": scene.style,
    }


def sheet(pictures: list[tuple[str, Image.Image]]) -> Image.Image:
    width, height = SIZE
    made = Image.new("RGB", (ACROSS * width, DOWN * (height + LABEL)), "white")
    pen = ImageDraw.Draw(made)
    for place, (name, picture) in enumerate(pictures):
        x, y = place % ACROSS * width, place // ACROSS * (height + LABEL)
        pen.text((x + 3, y + 1), name, fill="black")
        made.paste(picture, (x, y + LABEL))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder for the pictures")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=900_000, help="of the first scene")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pictures, answers = [], {}
    for number in range(1, given.count + 1):
        seed = given.seed + number - 1
        take = stage_scene(seed, size=SIZE)
        name = f"{number:02}"
        pictures.append((name, middle(take)))
        pictures[-1][1].save(given.out / f"{name}.png")
        answers[name] = answer(seed, take)
    step = ACROSS * DOWN
    for page, start in enumerate(range(0, len(pictures), step), 1):
        sheet(pictures[start : start + step]).save(given.out / f"sheet-{page}.png")
    file = given.out.with_name(given.out.name + "-answers.json")
    file.write_text(json.dumps(answers, indent=1) + "\n", "utf-8")
    print(f"{given.count} pictures are in {given.out}, what they show is in {file}")


if __name__ == "__main__":
    main()
