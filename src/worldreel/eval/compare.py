"""Two cards side by side: the same lines of two models, and how sure their difference is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from worldreel.errors import RequestError
from worldreel.eval import paired

SAME = ("world", "count", "first_seed", "size", "frames")  # what a fair comparison shares
_ROW = ("share", "interval", "count")


def compare(first: str | Path, second: str | Path) -> dict[str, Any]:
    """The lines that both cards have; difference: second less first, with its 95 % interval.

    That is a bootstrap of pairs where both cards hold what was read in clips of the same prompts
    from the same noise (those of `eval words`), else Newcombe's. pairs: their number, None where
    there are none. unlike: what the cards were not made alike in; only: lines that one of them
    lacks.
    """
    cards = [_read(Path(path)) for path in (first, second)]
    one, other = cards
    both = [line for line in one["lines"] if line in other["lines"]]
    if not both:
        raise RequestError(f"{first} and {second} have no line in common")
    lines = {}
    for line in both:
        rows = [card["lines"][line] for card in cards]
        shares = [{key: row["all"][key] for key in _ROW} for row in rows]
        pairs = _pairs(one, other, line)
        if pairs is None:
            difference, interval = _difference(*shares)
        else:
            mean, low, high = (round(x, 4) for x in paired.difference(*pairs))
            difference, interval = mean, (low, high)
        lines[line] = {
            "what": rows[0]["what"],
            "first": shares[0],
            "second": shares[1],
            "difference": difference,
            "interval": interval,
            "pairs": None if pairs is None else pairs[0].size,
            "sure": interval[0] > 0 or interval[1] < 0,
            "used": all((row.get("ruler") or {}).get("used", False) for row in rows),
        }
    return {
        "first": {"card": str(first), "model": one["model"]},
        "second": {"card": str(second), "model": other["model"]},
        "lines": lines,
        "unlike": {
            key: [one.get(key), other.get(key)] for key in SAME if one.get(key) != other.get(key)
        },
        "only": sorted(set(one["lines"]) ^ set(other["lines"])),
    }


def _pairs(
    one: Mapping[str, Any], other: Mapping[str, Any], line: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Right (1) or wrong (0) in each clip that states the line, 1 N twice; None without pairs."""
    clips = list(zip(one.get("clips", ()), other.get("clips", ()), strict=False))
    alike = ("prompt", "noise", "wanted")
    if not clips or len(one["clips"]) != len(other["clips"]):
        return None
    if any("read" not in a or any(a.get(k) != b.get(k) for k in alike) for a, b in clips):
        return None
    stated = [pair for pair in clips if line in pair[0]["wanted"]]
    if not stated:
        return None
    right = np.array([[c["read"].get(line) == c["wanted"][line] for c in pair] for pair in stated])
    a, b = right.astype(float).T
    return a[None], b[None]


def _difference(
    one: Mapping[str, Any], other: Mapping[str, Any]
) -> tuple[float, tuple[float, float]]:
    """How much larger the second share is, and its 95 % interval (Newcombe, Statistics in Medicine
    17, 1998, method 10: of independent shares, from Wilson's)."""
    a, b = one["share"], other["share"]
    (low_a, high_a), (low_b, high_b) = one["interval"], other["interval"]
    below = math.hypot(b - low_b, high_a - a)
    above = math.hypot(high_b - b, a - low_a)
    return round(b - a, 4), (round(b - a - below, 4), round(b - a + above, 4))


def markdown(found: Mapping[str, Any]) -> str:
    """The comparison as a table, shares in percent."""
    names = [f"{found[place]['model']} ({found[place]['card']})" for place in ("first", "second")]
    text = [f"| line | {names[0]} | {names[1]} | difference |", "|---|---|---|---|"]
    for row in found["lines"].values():
        shares = [
            f"{100 * row[place]['share']:.1f} of {row[place]['count']}"
            for place in ("first", "second")
        ]
        low, high = (100 * end for end in row["interval"])
        said = f"{100 * row['difference']:+.1f} ({low:+.0f} to {high:+.0f})"
        name = row["what"] + ("" if row["used"] else " (no claim)")
        text.append(f"| {name} | {' | '.join(shares)} | {said} |")
    for key, values in found["unlike"].items():
        text += ["", f"The cards are unlike in {key}: {values[0]} and {values[1]}."]
    if found["only"]:
        text += ["", f"In one of them alone: {', '.join(found['only'])}."]
    return "\n".join(text) + "\n"


def _read(file: Path) -> dict[str, Any]:
    if file.is_dir():  # what `eval card --out` wrote, or `eval words --out`
        written = [file / name for name in ("card.json", "words.json")]
        file = next((one for one in written if one.exists()), written[0])
    try:
        card = json.loads(file.read_text("utf-8"))
        assert {"model", "lines"} <= set(card)
        assert all(set(_ROW) <= set(row["all"]) for row in card["lines"].values())
    except (OSError, ValueError, AssertionError, TypeError, KeyError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        why = f"({why})" if why else "(no card)"
        raise RequestError(
            f"{file} cannot be read as a card {why}: `worldreel eval card` writes one"
        ) from None
    return card
