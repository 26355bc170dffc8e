"""Settings: what a ray sees where no thing is.

A setting is a function of rays and a table of lights; whatever differs from clip to clip comes
from `Air.chance`, and what moves from `Air.seconds`.
"""

from __future__ import annotations

from worldreel.world.lights import (
    COAST,
    DESERT,
    INDOORS,
    OUTDOORS,
    REEF,
    SNOW,
    STATION,
    STREET,
)
from worldreel.world.settings.coast import sandy_coast
from worldreel.world.settings.desert import desert
from worldreel.world.settings.meadow import meadow
from worldreel.world.settings.reef import coral_reef
from worldreel.world.settings.setting import SKY, Setting, Surface
from worldreel.world.settings.snowfield import snowfield
from worldreel.world.settings.station import space_station
from worldreel.world.settings.street import wet_street
from worldreel.world.settings.table import wooden_table

__all__ = ["SETTINGS", "SKY", "Setting", "Surface"]

SETTINGS = {
    "wooden table": Setting(draw=wooden_table, lights=INDOORS),
    "meadow": Setting(draw=meadow, lights=OUTDOORS),
    "snowfield": Setting(draw=snowfield, lights=SNOW),
    "wet street": Setting(draw=wet_street, lights=STREET, mirror=True),
    "sandy coast": Setting(draw=sandy_coast, lights=COAST),
    "desert": Setting(draw=desert, lights=DESERT),
    "coral reef": Setting(draw=coral_reef, lights=REEF),
    "space station": Setting(draw=space_station, lights=STATION, mirror=True),
}
