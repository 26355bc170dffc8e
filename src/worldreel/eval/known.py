"""What the rulers tell apart, and the worlds that a card may be of.

The lists are what the weights were trained on, so a new word of the world changes nothing here
until a ruler learns it (`recipes/rulers.py`, with the word in these lists).
"""

from __future__ import annotations

from collections.abc import Set

KINDS = (
    "ball", "cube", "cylinder", "cone", "ring", "dominoes", "blocks", "woman", "man", "robot",
    "dog", "mammoth", "fish", "dragon", "car", "train", "ship",
)  # fmt: skip
COLORS = (
    "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "white", "black",
    "brown", "grey",
)  # fmt: skip
SETTINGS = (
    "wooden table", "meadow", "snowfield", "wet street", "sandy coast", "desert", "coral reef",
    "space station",
)  # fmt: skip
LIGHTS = ("noon", "sunset", "night", "overcast")
WEATHERS = ("clear", "snow", "rain", "fog")
STYLES = ("render", "paper craft", "black and white", "pixel art", "watercolour")
CAMERAS = (
    "static", "pan_left", "pan_right", "tilt_up", "tilt_down", "dolly_in", "dolly_out",
    "orbit_left", "orbit_right", "crane_up", "follow",
)  # fmt: skip
EVENTS = ("stops", "turns", "jumps", "waves")

# The first small world, four kinds in eight colours, of which the first models' figures are.
CORE = frozenset((
    *KINDS[:4], *COLORS[:8], *SETTINGS[:4], *LIGHTS[:3], "static", "pan_left", "pan_right",
    "dolly_in", "dolly_out", "orbit_left", "orbit_right", "rests", "rolls", "slides", "falls",
    "hits", "matte", "glossy", "metal", "1", "2",
))  # fmt: skip
# Every word, in clear weather and the plain style: what the rulers have to be right on.
PLAIN = frozenset((*KINDS, *COLORS, *SETTINGS, *LIGHTS, *CAMERAS, *EVENTS))
# Every word in other weathers, and in other styles: reported apart.
WEATHERED = PLAIN | set(WEATHERS[1:])
STYLED = PLAIN | set(STYLES[1:])

# What a card may keep to, by the name that a command takes.
WORLDS: dict[str, Set[str] | None] = {"small": CORE, "plain": PLAIN, "whole": None}
