"""What the rulers tell apart: a plain core of the world, which their weights are trained on.

Figures are of scenes that keep to these words. A ruler learns a new word by training
(`recipes/rulers.py`) with the word in these lists.
"""

from __future__ import annotations

KINDS = ("ball", "cube", "cylinder", "cone")
COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
SETTINGS = ("wooden table", "meadow", "snowfield", "wet street")
LIGHTS = ("noon", "sunset", "night")
CAMERAS = (
    "static", "pan_left", "pan_right", "dolly_in", "dolly_out", "orbit_left", "orbit_right",
)  # fmt: skip
ACTIONS = ("rests", "rolls", "slides", "falls", "hits")

CORE = frozenset(
    (*KINDS, *COLORS, *SETTINGS, *LIGHTS, *CAMERAS, *ACTIONS, "matte", "glossy", "metal", "1", "2")
)
