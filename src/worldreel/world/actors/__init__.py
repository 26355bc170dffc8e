"""The actors of the world: a rig for each, by kind.

A new actor is a rig and its row here.
"""

from __future__ import annotations

from worldreel.world.actors import beasts, creatures, people, vehicles
from worldreel.world.actors.rig import Rig

RIGS: dict[str, Rig] = {
    "woman": people.WOMAN,
    "man": people.MAN,
    "robot": people.ROBOT,
    "dog": beasts.DOG,
    "mammoth": beasts.MAMMOTH,
    "fish": creatures.FISH,
    "dragon": creatures.DRAGON,
    "car": vehicles.CAR,
    "train": vehicles.TRAIN,
    "ship": vehicles.SHIP,
}
