"""A scene on MuJoCo's stage: bodies with mass, a ground to stand on, contacts that bounce.

Nothing here is scripted: a thing is given where it starts and how fast, and physics does the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import mujoco
import numpy as np

from worldreel.world.scene import THINGS, Scene, Thing
from worldreel.world.surface import LIVELINESS, SURFACES

STEPS_PER_SECOND = 480
DENSITY = 300.0  # kg/m^3: light wood. One for all, so that mass can be told from size.
# A contact gives like a spring of this angular frequency (rad/s): stiff enough that a ball sinks in
# by no more than 2 cm, soft enough that a step resolves the bounce (measured: the height that a
# ball bounces to is right within 4 %).
STIFFNESS = 190.0

GLOSS = {"matte": 0.0, "glossy": 0.35, "metal": 0.75, "paper": 0.0}
GRIP = 0.6  # Coulomb friction of what rolls, at least
_CONE_SIDES = 32


@dataclass(frozen=True, kw_only=True)
class Part:
    """A primitive of a body, in the body's axes: half sizes, centre, turn (3, 3)."""

    shape: str
    extent: tuple[float, float, float]
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    shade: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Body:
    """A rigid body of a thing: a ball is one, a row of dominoes several. thing: its number."""

    thing: int
    parts: tuple[Part, ...]
    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]


SHAPE_OF = {"ball": "sphere", "cube": "box", "cylinder": "cylinder", "cone": "cone"}


def bodies(scene: Scene) -> tuple[Body, ...]:
    """All that physics moves, in the order of the scene's things; actors are none of it."""
    return tuple(
        Body(
            thing=index,
            parts=(Part(shape=SHAPE_OF[thing.kind], extent=thing.extent),),
            position=thing.position,
            rotation=thing.rotation,
        )
        for index, thing in enumerate(scene.things)
        if thing.kind in THINGS
    )


def build(scene: Scene) -> mujoco.MjModel:
    """The scene as a model: a free body for each of `bodies`, its origin at its centre."""
    made = bodies(scene)
    drawn = "".join(_body(scene, body) for body in made)
    meshes = "".join(
        _cone(body.thing, scene.things[body.thing])
        for body in made
        if any(part.shape == "cone" for part in body.parts)
    )
    pairs, sensors = _contacts(scene)
    return mujoco.MjModel.from_xml_string(
        f"""<mujoco>
        <option timestep="{1 / STEPS_PER_SECOND!r}" gravity="0 0 {-scene.gravity!r}"
                cone="elliptic" impratio="10"/>
        <asset>{meshes}</asset>
        <worldbody><geom name="owner0" type="plane" size="0 0 1"/>{drawn}</worldbody>
        <contact>{pairs}</contact>
        <sensor>{sensors}</sensor>
        </mujoco>"""
    )


def begin(scene: Scene, model: mujoco.MjModel) -> mujoco.MjData:
    """The state at the first frame: qpos and qvel as the scene gives them."""
    data = mujoco.MjData(model)
    for index, body in enumerate(bodies(scene)):
        thing = scene.things[body.thing]
        rotation = np.array(body.rotation) / np.linalg.norm(body.rotation)
        spin = np.zeros(3)  # MuJoCo turns a free body about its own axes, a scene about the world's
        mujoco.mju_rotVecQuat(spin, np.array(thing.spin), rotation * (1, -1, -1, -1))
        data.qpos[7 * index : 7 * index + 7] = (*body.position, *rotation)
        data.qvel[6 * index : 6 * index + 6] = (*thing.velocity, *spin)
    mujoco.mj_forward(model, data)
    return data


def _body(scene: Scene, body: Body) -> str:
    owner = body.thing + 1
    radius, _, half = scene.things[body.thing].extent
    geoms = {
        "sphere": f'type="sphere" size="{radius}"',
        "box": 'type="box" size="{} {} {}"'.format(*scene.things[body.thing].extent),
        "cylinder": f'type="cylinder" size="{radius} {half}"',
        "cone": f'type="mesh" mesh="cone{body.thing}"',
    }
    (part,) = body.parts
    geom = f'<geom name="owner{owner}" {geoms[part.shape]} density="{DENSITY}"/>'
    return f"<body><freejoint/>{geom}</body>"


def _cone(index: int, thing: Thing) -> str:
    radius, _, half = thing.extent
    around = 2 * math.pi / _CONE_SIDES
    rim = (
        f"{radius * math.cos(k * around):.7f} {radius * math.sin(k * around):.7f} {-half}"
        for k in range(_CONE_SIDES)
    )
    return f'<mesh name="cone{index}" vertex="{" ".join(rim)} 0 0 {half}"/>'


def _contacts(scene: Scene) -> tuple[str, str]:
    """The pairs that may touch, and for each a sensor of the force between them.

    The sensors come in the order of `touching`.
    """
    pairs, sensors = [], []
    surface = SURFACES[scene.setting]
    for low, high in touching(scene):
        thing = scene.things[high - 1]
        if low == 0:
            slide, roll = surface.slide, surface.roll
            bounce = surface.bounce * LIVELINESS[thing.kind]
            if _grips(thing):
                slide = max(slide, GRIP)
            if thing.action != "falls":
                bounce *= 0.3  # what stands or travels keeps to the ground
        else:
            slide, roll = 0.25, 0.0
            bounce = 0.75 * min(LIVELINESS[scene.things[i - 1].kind] for i in (low, high))
        # A round thing that loses `roll` m/s^2 is held back by a torque of N times this length.
        arm = roll * thing.extent[0] * (1.4 if thing.kind == "ball" else 1.5) / scene.gravity
        friction = f"{slide} {slide} 0.005 {arm} {arm}"
        condim = 6 if arm and thing.kind in ("ball", "cylinder") else 3
        pairs.append(
            f'<pair geom1="owner{low}" geom2="owner{high}" condim="{condim}" '
            f'friction="{friction}" solref="{_spring(bounce)}" solimp="0.95 0.95 0.001"/>'
        )
        sensors.append(
            f'<contact geom1="owner{low}" geom2="owner{high}" reduce="netforce" data="force"/>'
        )
    return "".join(pairs), "".join(sensors)


def touching(scene: Scene) -> list[tuple[int, int]]:
    """All pairs of owners that may touch, the lower first; 0 is the ground."""
    owners = [0, *sorted({body.thing + 1 for body in bodies(scene)})]
    return [(low, high) for low in owners for high in owners if low < high]


def _grips(thing: Thing) -> bool:
    """Whether it rolls from the start: a wheel does not skid where a sledge slides."""
    return thing.kind == "ball" or (thing.action in ("rolls", "hits") and any(thing.spin))


def _spring(bounce: float) -> str:
    """MuJoCo's (-stiffness, -damping) of a contact that keeps this share of the speed."""
    loss = -math.log(bounce)
    damping = loss / math.hypot(math.pi, loss)
    return f"{-(STIFFNESS**2)} {-2 * damping * STIFFNESS}"
