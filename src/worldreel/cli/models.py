"""`worldreel models`: what is here to make videos with, and what is fetched."""

import json
from importlib import import_module
from typing import Annotated, Any

import typer

from worldreel import shelf
from worldreel.cli.options import HELP, AsJson, Quiet
from worldreel.cli.progress import progress

app = typer.Typer(add_completion=False, no_args_is_help=True, context_settings=HELP)

_SIZES = (8, 12, 16, 24, 48, 80)  # GiB of GPUs that are sold
Name = Annotated[str, typer.Argument(help="OWNER/NAME, as `worldreel models list` shows it.")]


@app.callback()
def models() -> None:
    """List, fetch, check and remove models, and say what memory they take."""


@app.command("list", context_settings=HELP)
def listed(as_json: AsJson = False) -> None:
    """List what is packaged and what was fetched."""
    found = shelf.held()
    if as_json:
        told = {"folder": str(shelf.folder()), "models": [one.to_json() for one in found]}
        print(json.dumps(told))
        return
    wide = max(len(one.name) for one in found)
    for one in found:
        print(f"{one.name:{wide}}  {_size(one.nbytes):>9}  {one.licence:12}  {one.path}")


@app.command(context_settings=HELP)
def memory(as_json: AsJson = False) -> None:
    """Say how public models run in so much memory of a GPU, at the size they were made for.

    It is what `--plan` says of a request, for bf16, guidance and a GPU that holds nothing else.
    """
    print(json.dumps(_runs()) if as_json else memory_table())


def memory_table() -> str:
    """How public models run in so much memory, in Markdown; docs/wan.md has it."""
    lines = ["| model, size | " + " | ".join(f"{gib} GiB" for gib in _SIZES) + " |"]
    lines.append("|---" * (1 + len(_SIZES)) + "|")
    for name, one in _runs().items():
        runs = " | ".join(
            f"{run['way']}: {run['peak'] / 2**30:.1f}" if run["way"] else "no: " + run["advice"]
            for run in one["at"].values()
        )
        lines.append(f"| {name}, {one['size']}, {one['frames']} frames | {runs} |")
    return "\n".join(lines)


def _runs() -> dict[str, dict[str, Any]]:
    plan = import_module("worldreel.plan")
    wan, torch = import_module("worldreel.models.wan_models"), import_module("torch")
    found: dict[str, dict[str, Any]] = {}
    for model in wan.MODELS:
        width, height = map(int, model.size.split("x"))
        asked = {"frames": model.frames, "width": width, "height": height}
        made = [
            plan.plan(plan.MODELS[model.name], dtype=torch.bfloat16, free=gib * 2**30, **asked)
            for gib in _SIZES
        ]
        at = {gib: _run(one) for gib, one in zip(_SIZES, made, strict=True)}
        found[model.name] = {"size": model.size, "frames": model.frames, "at": at}
    return found


def _run(made: Any) -> dict[str, Any]:
    """The way that a plan has chosen and what it takes, or what would fit instead."""
    if made.chosen is not None:
        return {"way": made.chosen.name, "peak": made.chosen.peak}
    return {"way": None, "advice": "; ".join(made.advice[1:])}


@app.command(context_settings=HELP)
def fetch(
    name: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face hub.")],
    revision: Annotated[
        str | None,
        typer.Option(help="A branch, a tag or a commit.", show_default="the newest"),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a model; one that was begun is gone on with."""
    with progress(quiet=quiet) as told:
        one = shelf.fetch(name, revision=revision, told=told)
    _tell(one, "fetched", as_json)


@app.command(context_settings=HELP)
def check(name: Name, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Hold every file of a model to its hash."""
    with progress(quiet=quiet) as told:
        one = shelf.verify(name, told=told)
    _tell(one, "whole", as_json)


@app.command(context_settings=HELP)
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a model that was fetched."""
    _tell(shelf.remove(name), "removed", as_json)


def _tell(one: shelf.Held, done: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"done": done, **one.to_json()}))
    else:
        print(f"{one.name}: {done}, {_size(one.nbytes)}, licence {one.licence}, {one.path}")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
