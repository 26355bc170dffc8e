"""`worldreel world`: what the world looks like, without any model."""

import json
from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated

import typer

from worldreel.cli.progress import progress
from worldreel.errors import MissingExtraError, RequestError
from worldreel.output import check_writable
from worldreel.request import parse_size

app = typer.Typer(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})

ACROSS = 4  # pictures of each scene


@app.callback()
def world() -> None:
    """The simulated world that marble learns from."""


@app.command()
def preview(
    out: Annotated[str, typer.Option("--out", "-o", help="A .png of all scenes.")] = "world.png",
    count: Annotated[int, typer.Option(help="How many scenes, one in each row.")] = 6,
    seed: Annotated[int, typer.Option(help="Of the first scene; they count up.")] = 0,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels of each picture.")] = "256x144",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Render some scenes into one picture, and print what they show."""
    if not 1 <= count <= 100 or seed < 0:
        raise RequestError("--count must be from 1 to 100, and --seed at least 0")
    width, height = parse_size(size)
    check_writable(out, num_frames=1)
    if find_spec("mujoco") is None:
        raise MissingExtraError("the world's physics needs mujoco: pip install 'worldreel[world]'")
    import numpy as np

    from worldreel.media import Video
    from worldreel.provenance import RENDERED
    from worldreel.world.act import stage_scene
    from worldreel.world.describe import captions
    from worldreel.world.render import Render, render

    rows, scenes = [], []
    with progress(quiet=quiet) as told:
        for index in range(count):
            told("render", index, count)
            take = stage_scene(seed + index, size=(width, height))
            (caption,) = captions(take, np.random.default_rng(seed + index), count=1)
            shown = np.linspace(0, take.num_frames - 1, ACROSS).round().astype(int)
            moving = ("position", "rotation", "velocity", "eye", "look")
            few = replace(take, **{name: getattr(take, name)[shown] for name in moving})
            made = render(few, size=(width, height), compiled=False)
            assert isinstance(made, Render)
            rows.append(np.concatenate(list(made.frames), axis=1))
            scenes.append({"seed": seed + index, "caption": caption.text})
        told("render", count, count)
    sheet = np.concatenate(rows)
    path = Video(
        sheet[None],
        metadata={"request": {"world": scenes}, "digital_source_type": RENDERED},
    ).save(out)
    if as_json:
        print(json.dumps({"path": str(path), "scenes": scenes}, ensure_ascii=False))
    else:
        for scene in scenes:
            print(f"{scene['seed']}: {scene['caption']}")
