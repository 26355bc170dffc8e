"""The world's gallery: docs/gallery.md with its sheets, of which the README shows the first.

    python scripts/gallery.py [--only subjects …]

Every picture is the first scene that the sampler gives for the words beside it: none is chosen by
hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from worldreel.errors import SceneError
from worldreel.world import scene as words
from worldreel.world.act import stage_scene, stage_shots
from worldreel.world.describe import captions
from worldreel.world.place import PLACES
from worldreel.world.render import Render, render
from worldreel.world.scene import Take

ROOT = Path(__file__).parents[1]
SIZE = (256, 144)
LABEL = 16  # pixels below each picture
QUALITY = 82
HOME = {"fish": "coral reef", "ship": "sandy coast", "mammoth": "snowfield", "woman": "wet street"}
GUEST = {  # who is to be seen in each setting
    "wooden table": "blocks", "meadow": "dog", "snowfield": "mammoth", "wet street": "woman",
    "sandy coast": "ship", "desert": "train", "coral reef": "fish", "space station": "robot",
}  # fmt: skip
# Who is to be seen in each action and event, so that all kinds have their turn.
WHO = {
    "flies": ("ball",), "stands": ("robot",), "walks": ("mammoth",), "runs": ("dog",),
    "swims": ("fish",), "sails": ("ship",), "drives": ("train",),
    "stops": ("car", "drives", "left"), "turns": ("man", "runs", "right"),
    "jumps": ("robot", "runs", "right"), "waves": ("woman", "stands"),
}  # fmt: skip
# What a scene of these words may leave out, and has to do to be in the gallery.
DUE = {*words.EVENTS, *words.DIRECTIONS, "stacks"}
GLANCE = (
    ("mammoth", "brown", "snowfield", "noon", "snow", "walks", "left", "1"),
    ("woman", "yellow", "wet street", "walks", "right", "1"),
    ("ship", "white", "sandy coast", "sunset", "sails", "2"),
    ("fish", "orange", "coral reef", "paper craft", "1"),
    ("train", "red", "desert", "sunset", "drives", "right", "1"),
    ("dominoes", "wooden table", "noon", "topples", "1"),
    ("dragon", "green", "meadow", "noon", "flies", "1"),
    ("robot", "space station", "noon", "waves", "stands", "1"),
    ("dog", "black", "sandy coast", "noon", "runs", "1"),
    ("man", "red", "wet street", "rain", "walks", "1"),
    ("car", "blue", "desert", "noon", "drives", "left", "1"),
    ("cube", "stacks", "rests", "space station", "night", "2"),
    ("mammoth", "brown", "meadow", "watercolour", "noon", "1"),
    ("ship", "red", "sandy coast", "noon", "sails", "1"),
    ("fish", "red", "coral reef", "noon", "swims", "2"),
    ("ball", "yellow", "falls", "wooden table", "sunset", "1"),
    ("dragon", "red", "snowfield", "noon", "flies", "1"),
    ("robot", "green", "meadow", "pixel art", "noon", "1"),
    ("woman", "white", "wooden table", "black and white", "noon", "1"),
    ("train", "blue", "snowfield", "night", "drives", "1"),
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A picture or a strip: the words that its scene keeps to, and what is written below."""

    within: frozenset[str]
    label: str
    pictures: int = 1
    seed: int = 0
    story: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    title: str
    text: str
    across: int
    cells: tuple[Cell, ...]


def cell(
    *within: str, label: str = "", pictures: int = 1, seed: int = 0, story: str | None = None
) -> Cell:
    kept, label = frozenset(within), label or within[0]
    return Cell(within=kept, label=label, pictures=pictures, seed=seed, story=story)


def sheets() -> dict[str, Sheet]:
    core = ("clear", "static", "render", "1")
    settings = [
        cell(name, light, GUEST[name], *core, label=f"{name}, {light}")
        for name, place in PLACES.items()
        for light in place.lights
    ]
    subjects = [
        cell(kind, *([HOME[kind]] if kind in HOME else []), "noon", "night", *core, seed=10 * n,
             label=kind)
        for kind in words.KINDS
        for n in range(3)
    ]  # fmt: skip
    two = {"hits": ("hits", "rolls"), "stacks": ("stacks", "rests")}  # what takes two
    actions = [
        cell(action, *WHO.get(action, ()), *core, pictures=4)
        for action in words.ACTIONS
        if action not in two
    ]
    actions += [
        cell(*kept, "rests", *core[:3], "2", pictures=4, label=action, story=action)
        for action, kept in two.items()
    ]
    actions += [cell("dragon", "flies", *core, pictures=4, label="flies (a dragon)")]
    actions += [
        cell(event, *WHO[event], *core, pictures=4, label=f"{event} (a {WHO[event][0]})")
        for event in words.EVENTS
    ]
    cameras = [
        cell(move, "clear", "render", "noon", pictures=4, label=move) for move in words.CAMERAS
    ]
    weathers = [
        cell(weather, kind, "static", "render", "noon", "overcast", label=f"{weather}, a {kind}")
        for weather in words.WEATHERS
        for kind in ("man", "dog", "car")
    ]
    styles = [
        cell(style, kind, "static", "clear", "noon", "sunset", "1", label=f"{style}, a {kind}")
        for style in words.STYLES
        for kind in ("mammoth", "train", "ball")
    ]
    return {
        "world": Sheet(
            title="At a glance", text="A few words, and the first scene of each.", across=4,
            cells=tuple(cell(*kept, label=", ".join(kept[:-1])) for kept in GLANCE),
        ),
        "settings": Sheet(
            title="Settings", text="Every setting under each of its lights.", across=4,
            cells=tuple(settings),
        ),
        "subjects": Sheet(
            title="Subjects", text="Every thing and actor, three seeds each.", across=6,
            cells=tuple(subjects),
        ),
        "actions": Sheet(
            title="Actions and events", text="Four moments of two seconds.", across=2,
            cells=tuple(actions),
        ),
        "cameras": Sheet(
            title="Cameras", text="Four moments of two seconds.", across=2, cells=tuple(cameras),
        ),
        "weather": Sheet(
            title="Weather", text="What falls, and how far one sees.", across=3,
            cells=tuple(weathers),
        ),
        "styles": Sheet(
            title="Styles", text="The same renderer, by another hand.", across=3,
            cells=tuple(styles),
        ),
    }  # fmt: skip


def take_of(one: Cell) -> Take | None:
    """The first scene that does all of the words; None, said, where the world has none."""
    due = one.within & DUE
    try:
        for seed in range(one.seed, one.seed + 50):
            take = stage_scene(seed, seconds=2.0, size=SIZE, within=one.within, story=one.story)
            things = take.scene.things
            if due <= {w for thing in things for w in (thing.action, thing.event, thing.direction)}:
                return take
    except SceneError as error:
        print(f"  {one.label}: {error}", file=sys.stderr)
        return None
    print(f"  {one.label}: no scene does it", file=sys.stderr)
    return None


def strip(take: Take, pictures: int) -> np.ndarray:  # H n*W 3
    """Moments of a take, side by side; one moment is its middle."""
    share = np.linspace(0, 1, pictures) if pictures > 1 else np.array([0.5])
    shown = (share * (take.num_frames - 1)).round().astype(int)
    made = render(take.at(shown), size=SIZE, samples=4)
    assert isinstance(made, Render)
    return np.concatenate(list(made.frames), axis=1)


def grid(rows: Sequence[tuple[np.ndarray, str]], across: int) -> Image.Image:
    height = max(picture.shape[0] for picture, _ in rows) + LABEL
    width = max(picture.shape[1] for picture, _ in rows)
    down = -(-len(rows) // across)
    sheet = Image.new("RGB", (across * width, down * height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, label) in enumerate(rows):
        x, y = number % across * width, number // across * height
        sheet.paste(Image.fromarray(picture), (x, y))
        pen.text((x + 3, y + picture.shape[0] + 2), label, fill="black")
    return sheet


def shots(first: int, count: int) -> list[tuple[np.ndarray, str]]:
    """Clips of several shots: the middle of each."""
    rows: list[tuple[np.ndarray, str]] = []
    seed = first
    while len(rows) < count:
        takes = stage_shots(seed, seconds=6.0, size=SIZE)
        if len(takes) == 3:
            pictures = [strip(take, 1) for take in takes]
            rows.append((np.concatenate(pictures, axis=1), f"seed {seed}"))
        seed += 1
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=None, help="some of the sheets, or page")
    chosen = parser.parse_args().only
    folder = ROOT / "docs/gallery"
    folder.mkdir(parents=True, exist_ok=True)
    page = ["# The world's gallery\n", HEAD]
    for name, sheet in sheets().items():
        page += [
            f"\n## {sheet.title}\n",
            f"{sheet.text}\n",
            f"![{sheet.title}](gallery/{name}.webp)\n",
        ]
        if chosen is not None and name not in chosen:
            continue
        print(f"{name}: {len(sheet.cells)} cells", file=sys.stderr)
        rows = []
        for one in sheet.cells:
            take = take_of(one)
            if take is not None:
                rows.append((strip(take, one.pictures), one.label))
        grid(rows, sheet.across).save(folder / f"{name}.webp", quality=QUALITY)
    page += [
        "\n## Shots\n",
        "Clips of three shots: the middle of each.\n",
        "![Shots](gallery/shots.webp)\n",
    ]
    if chosen is None or "shots" in chosen:
        grid(shots(0, 4), 1).save(folder / "shots.webp", quality=QUALITY)
    if chosen is None or "page" in chosen:
        page += ["\n## In words\n", "What the first scenes' captions say:\n"]
        for seed in range(6):
            take = stage_scene(seed, size=SIZE)
            for language in ("en", "zh"):
                (said,) = captions(take, np.random.default_rng(seed), count=1, language=language)
                page.append(f"- {said.text}")
        (ROOT / "docs/gallery.md").write_text("\n".join(page) + "\n", encoding="utf-8")


HEAD = """
What marble's world holds, drawn by `python scripts/gallery.py`: each picture is the first scene
that the sampler gives for the words below it. More of any of them, for instance:
`worldreel world preview --with mammoth --with snowfield`. Whether a stranger names what is in a
picture without any words: [a naming test](naming.md).
"""

if __name__ == "__main__":
    main()
