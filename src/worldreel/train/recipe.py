"""Recipes: a run is a function that returns its full config, in a Python file anyone can copy.

`worldreel train dit marble` calls `dit()` of `recipes/marble.py`; `--set a.b=c` replaces fields of
the frozen dataclass that it returns, and an unknown field is an error.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worldreel.errors import RequestError

_PLACES = (
    Path("recipes"),
    Path(__file__).parents[1] / "recipes",  # in an installed package
    Path(__file__).parents[3] / "recipes",  # in a checkout
)


def find(name: str) -> Path:
    """The file of a recipe, by path or by name; a RequestError lists the known ones."""
    if name.endswith(".py"):
        if Path(name).is_file():
            return Path(name)
        raise RequestError(f"no recipe file {name!r}")
    for place in _PLACES:
        if (place / f"{name}.py").is_file():
            return place / f"{name}.py"
    known = sorted({p.stem for place in _PLACES for p in place.glob("[!_]*.py")})
    raise RequestError(f"no recipe {name!r}: known are {', '.join(known) or 'none'}, or a .py file")


def load(name: str, stage: str, overrides: Mapping[str, str] | None = None) -> Any:
    """The config that a recipe gives for a stage ("text", "compressor", "dit")."""
    path = find(name)
    spec = importlib.util.spec_from_file_location(f"worldreel_recipe_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    maker = getattr(module, stage, None)
    if not callable(maker):
        raise RequestError(f"recipe {path} has no function {stage}()")
    return override(maker(), overrides or {})


def override(config: Any, changes: Mapping[str, str]) -> Any:
    """A frozen dataclass with some fields replaced, by dotted names; values are Python literals."""
    for key, text in changes.items():
        head, _, rest = key.partition(".")
        fields = {f.name for f in dataclasses.fields(config)}
        if head not in fields:
            raise RequestError(f"unknown setting {key!r}: one of {', '.join(sorted(fields))}")
        old = getattr(config, head)
        if rest:
            if not dataclasses.is_dataclass(old):
                raise RequestError(f"{head!r} has no settings inside: set it as a whole")
            new = override(old, {rest: text})
        else:
            try:
                new = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                new = text
            if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
                new = float(new)
            if old is not None and type(new) is not type(old):
                raise RequestError(
                    f"{key}={text}: expected {type(old).__name__}, as in {old!r}"
                )
        config = dataclasses.replace(config, **{head: new})
    return config
