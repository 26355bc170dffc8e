"""`worldreel models`: what is here to make videos with, and what is fetched."""

import json
from typing import Annotated

import typer

from worldreel import shelf
from worldreel.cli.options import HELP, AsJson, Quiet
from worldreel.cli.progress import progress

app = typer.Typer(add_completion=False, no_args_is_help=True, context_settings=HELP)

Name = Annotated[str, typer.Argument(help="OWNER/NAME, as `worldreel models list` shows it.")]


@app.callback()
def models() -> None:
    """List, fetch, check and remove models."""


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
