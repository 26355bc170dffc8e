"""A scene on MuJoCo's stage: bodies with mass, a ground to stand on, contacts that bounce.

Nothing here is scripted: a thing is given where it starts and how fast, and physics does the rest.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np

from worldreel.world.scene import SHAPES, Scene, Thing
from worldreel.world.surface import LIVELINESS, SURFACES

STEPS_PER_SECOND = 480
DENSITY = 300.0  # kg/m^3: light wood. One for all, so that mass can be told from size.
# A contact gives like a spring of this angular frequency (rad/s): stiff enough that a ball sinks in
# by no more than 2 cm, soft enough that a step resolves the bounce (measured: the height that a
# ball bounces to is right within 4 %).
STIFFNESS = 190.0

# The primitives that each kind is built of. A kind of several parts is an entry with several.
PARTS = {"ball": ("sphere",), "cube": ("box",), "cylinder": ("cylinder",), "cone": ("cone",)}
GLOSS = {"matte": 0.0, "glossy": 0.35, "metal": 0.75}
GRIP = 0.6  # Coulomb friction of what rolls, at least
_CONE_SIDES = 32


def parts(thing: Thing) -> tuple[int, ...]:
    """The primitives of a thing, as indices into SHAPES."""
    return tuple(SHAPES.index(shape) for shape in PARTS[thing.kind])


def build(scene: Scene) -> mujoco.MjModel:
    """The scene as a model: body i+1 is `things[i]`, free to move, its origin at its centre."""
    bodies = "".join(_body(index, thing) for index, thing in enumerate(scene.things))
    meshes = "".join(
        _cone(index, thing)
        for index, thing in enumerate(scene.things)
        if "cone" in PARTS[thing.kind]
    )
    pairs, sensors = _contacts(scene)
    return mujoco.MjModel.from_xml_string(
        f"""<mujoco>
        <option timestep="{1 / STEPS_PER_SECOND!r}" gravity="0 0 {-scene.gravity!r}"
                cone="elliptic" impratio="10"/>
        <asset>{meshes}</asset>
        <worldbody><geom name="owner0" type="plane" size="0 0 1"/>{bodies}</worldbody>
        <contact>{pairs}</contact>
        <sensor>{sensors}</sensor>
        </mujoco>"""
    )


def begin(scene: Scene, model: mujoco.MjModel) -> mujoco.MjData:
    """The state at the first frame: qpos and qvel as the scene gives them."""
    data = mujoco.MjData(model)
    for index, thing in enumerate(scene.things):
        rotation = np.array(thing.rotation) / np.linalg.norm(thing.rotation)
        spin = np.zeros(3)  # MuJoCo turns a free body about its own axes, a scene about the world's
        mujoco.mju_rotVecQuat(spin, np.array(thing.spin), rotation * (1, -1, -1, -1))
        data.qpos[7 * index : 7 * index + 7] = (*thing.position, *rotation)
        data.qvel[6 * index : 6 * index + 6] = (*thing.velocity, *spin)
    mujoco.mj_forward(model, data)
    return data


def _body(index: int, thing: Thing) -> str:
    radius, _, half = thing.extent
    geoms = {
        "sphere": f'type="sphere" size="{radius}"',
        "box": 'type="box" size="{} {} {}"'.format(*thing.extent),
        "cylinder": f'type="cylinder" size="{radius} {half}"',
        "cone": f'type="mesh" mesh="cone{index}"',
    }
    (shape,) = PARTS[thing.kind]
    geom = f'<geom name="owner{index + 1}" {geoms[shape]} density="{DENSITY}"/>'
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
    owners = range(len(scene.things) + 1)
    return [(low, high) for low in owners for high in owners if low < high]


def _grips(thing: Thing) -> bool:
    """Whether it rolls from the start: a wheel does not skid where a sledge slides."""
    return thing.kind == "ball" or (thing.action in ("rolls", "hits") and any(thing.spin))


def _spring(bounce: float) -> str:
    """MuJoCo's (-stiffness, -damping) of a contact that keeps this share of the speed."""
    loss = -math.log(bounce)
    damping = loss / math.hypot(math.pi, loss)
    return f"{-(STIFFNESS**2)} {-2 * damping * STIFFNESS}"
