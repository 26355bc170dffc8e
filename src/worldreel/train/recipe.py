"""Recipes: a run is a function that returns its full config, in a Python file anyone can copy.

`worldreel train dit marble` calls `dit()` of `recipes/marble.py`, and `worldreel train dit
marble:taller` another function of it, for another leg of the same stage; `--set a.b=c` replaces
fields of the frozen dataclass that it returns, and an unknown field is an error.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import math
import reprlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from worldreel.errors import RequestError

STAGES = ("text", "compressor", "dit", "few")
_PLACES = (
    Path("recipes"),
    Path(__file__).parents[1] / "recipes",  # in an installed package
    Path(__file__).parents[3] / "recipes",  # in a checkout
)


def parted(name: str) -> tuple[str, str]:
    """A recipe's name or path, and the function of it that is named behind a colon, or ""."""
    head, _, function = name.rpartition(":")
    return (head, function) if head and function.isidentifier() else (name, "")


def title(name: str) -> str:
    """A recipe in a word, without its folder: `marble`, `marble-taller`."""
    head, function = parted(name)
    return "-".join(filter(None, (Path(head).stem, function)))


def find(name: str) -> Path:
    """The file of a recipe, by path or by name; a RequestError lists the known ones."""
    name, _ = parted(name)
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
    """The config that a recipe gives for a stage ("text", "compressor", "dit", "few").

    By the function of the stage's name, or the one that is named.
    """
    path, function = find(name), parted(name)[1] or stage
    spec = importlib.util.spec_from_file_location(f"worldreel_recipe_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    maker = getattr(module, function, None)
    if not callable(maker):
        has = [name for name in STAGES if callable(getattr(module, name, None))]
        raise RequestError(f"recipe {path} has no {function}(); it has {', '.join(has) or 'none'}")
    config = maker()
    if type(config).__module__ != f"{__package__}.{stage}":
        raise RequestError(f"{function}() of {path} is not of the stage {stage}: name another")
    return override(config, overrides or {})


def override(config: Any, changes: Mapping[str, str], inside: str = "") -> Any:
    """A frozen dataclass with some fields replaced, by dotted names; values are Python literals.

    Text needs no quotes. What is made of other dataclasses than single ones (a run's phases) is
    set in the recipe.
    """
    for key, text in changes.items():
        head, _, rest = key.partition(".")
        name = inside + head
        hints = get_type_hints(type(config))
        if head not in {f.name for f in dataclasses.fields(config)}:
            known = ", ".join(sorted(inside + f.name for f in dataclasses.fields(config)))
            raise RequestError(f"unknown setting {inside + key!r}: one of {known}")
        old = getattr(config, head)
        if dataclasses.is_dataclass(old):
            if not rest:
                inner = dataclasses.fields(old)[0].name
                raise RequestError(f"{name} has settings inside: set them, as in {name}.{inner}")
            new = override(old, {rest: text}, f"{name}.")
        elif rest:
            raise RequestError(f"{name!r} has no settings inside: set it as a whole")
        else:
            new = _value(text, hints[head])
            if not _fits(new, hints[head]):
                wanted = getattr(hints[head], "__name__", str(hints[head]))
                raise RequestError(f"{name}={text}: expected {wanted}, as in {reprlib.repr(old)}")
        config = dataclasses.replace(config, **{head: new})
    return config


def _value(text: str, hint: Any) -> Any:
    """A literal, or for a setting that takes text just that."""
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        return text
    if _fits(text, hint) and not isinstance(value, str):
        return text  # such as a folder named 2024
    return float(value) if hint is float and type(value) is int else value


def _fits(value: Any, hint: Any) -> bool:
    """Whether a literal is of an annotated type: numbers, text, None, tuples and mappings."""
    inner = get_args(hint)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return any(_fits(value, h) for h in inner)
    if get_origin(hint) is tuple:
        if any(dataclasses.is_dataclass(h) for h in inner) or not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if Ellipsis in inner else inner
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if get_origin(hint) is Mapping:
        return isinstance(value, dict) and all(
            _fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items()
        )
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is hint
