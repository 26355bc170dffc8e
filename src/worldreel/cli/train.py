"""`worldreel train`: clips become weights."""

import json
import os
import sys
from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from worldreel.errors import RequestError
from worldreel.output import check_folder

app = typer.Typer(add_completion=False)


class Stage(StrEnum):
    """What can be trained, in the order in which a model needs it."""

    text = "text"
    compressor = "compressor"
    dit = "dit"
    few = "few"


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def train(
    stage: Annotated[Stage, typer.Argument(help="What to train.")],
    recipe: Annotated[
        str, typer.Argument(help="A name in recipes/ or a .py file; NAME:FUNCTION is a leg.")
    ],
    out: Annotated[
        str | None, typer.Option(help="The run's folder.", show_default="runs/RECIPE-STAGE")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on where the run stopped, or anew.")
    ] = True,
    minutes: Annotated[
        float | None, typer.Option(help="Stop by then, resumably.", show_default="when it is done")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train one stage of a model by a recipe."""
    overrides = dict(map(_pair, settings or ()))
    if minutes is not None and not 0 < minutes < 1e6:
        raise RequestError(f"--minutes must be above zero, not {minutes:g}")
    from worldreel.train.recipe import find, title

    find(recipe)  # an unknown recipe is said before torch is loaded
    folder = out or f"runs/{title(recipe)}-{stage.value}"
    check_folder(folder)
    main = import_module(f"worldreel.train.{stage.value}").main
    answer = main(recipe, out=folder, resume=resume, minutes=minutes, overrides=overrides)
    answer = {"stage": stage.value, "recipe": recipe, "out": folder, **(answer or {})}
    if os.environ.get("RANK", "0") != "0":
        return  # under torchrun, one of them tells
    if as_json:
        print(json.dumps(answer, default=str))
    else:
        print(f"{stage.value} of {recipe} is in {answer['out']}", file=sys.stderr)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise RequestError(f"--set takes KEY=VALUE, such as lr=0.01, not {text!r}")
    return key.strip(), value.strip()
