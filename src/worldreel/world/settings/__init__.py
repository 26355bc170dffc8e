"""Settings: what a ray sees where no thing is.

A setting is a function of rays and a table of lights; whatever differs from clip to clip comes
from `Air.chance`, and what moves from `Air.seconds`.
"""

from __future__ import annotations

from worldreel.world.lights import INDOORS, OUTDOORS, STREET
from worldreel.world.settings.meadow import meadow
from worldreel.world.settings.setting import SKY, Setting, Surface
from worldreel.world.settings.snowfield import snowfield
from worldreel.world.settings.street import wet_street
from worldreel.world.settings.table import wooden_table

__all__ = ["SETTINGS", "SKY", "Setting", "Surface"]

SETTINGS = {
    "wooden table": Setting(draw=wooden_table, lights=INDOORS),
    "meadow": Setting(draw=meadow, lights=OUTDOORS),
    "snowfield": Setting(draw=snowfield, lights=OUTDOORS),
    "wet street": Setting(draw=wet_street, lights=STREET, mirror=True),
}
