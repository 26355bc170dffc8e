"""A scene on MuJoCo's stage: bodies with mass, a ground to stand on, contacts that bounce.

Nothing here is scripted: a thing is given where it starts and how fast, and physics does the rest.
What the bodies are (`bodies`) is told without MuJoCo, so that a take can be put together again
where it is not installed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from worldreel.world.scene import THINGS, Scene, Thing
from worldreel.world.surface import LIVELINESS, SURFACES, THICKNESS, Surface

if TYPE_CHECKING:
    import mujoco

STEPS_PER_SECOND = 480
DENSITY = 300.0  # kg/m^3: light wood. One for all, so that mass can be told from size.
# A contact gives like a spring of this angular frequency (rad/s): stiff enough that a ball sinks in
# by no more than 2 cm, soft enough that a step resolves the bounce (measured: the height that a
# ball bounces to is right within 4 %).
STIFFNESS = 190.0

GLOSS = {"matte": 0.0, "glossy": 0.35, "metal": 0.75, "paper": 0.0}
GRIP = 0.6  # Coulomb friction of what rolls, at least
_CONE_SIDES = 32
_RING_PARTS = 14
# Radians that a piece is turned by, the next one the other way: by hand nothing stands quite
# straight, and MuJoCo's touch of two boxes whose edges are parallel to the last digit goes wild.
_ASKEW = 0.03
# The moment of inertia of what is round, as a share of m r^2: what its rolling keeps.
_INERTIA = {"ball": 0.4, "cylinder": 0.5, "ring": 0.75}

Three = tuple[float, float, float]
Four = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A primitive of a body, in the body's axes: half sizes, centre, turn (3, 3).

    light: how far its colour is on the way to white, where a turn or a piece is to show.
    """

    shape: str
    extent: Three
    offset: Three = (0.0, 0.0, 0.0)
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    light: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Body:
    """A rigid body of a thing: a ball is one, a row of dominoes several. thing: its number.

    tread: half the thickness of a disc that only the ground feels, as wide across as the thing.
    """

    thing: int
    parts: tuple[Part, ...]
    position: Three
    rotation: tuple[float, float, float, float]
    velocity: Three = (0.0, 0.0, 0.0)
    spin: Three = (0.0, 0.0, 0.0)
    tread: float | None = None


def bodies(scene: Scene) -> tuple[Body, ...]:
    """All that physics moves, in the order of the scene's things; actors are none of it.

    Of a row or a stack only the first piece starts with the thing's velocity and spin.
    """
    found: list[Body] = []
    for index, thing in enumerate(scene.things):
        if thing.kind in THINGS:
            first, *others = _MADE[thing.kind](index, thing)
            found += [replace(first, velocity=thing.velocity, spin=thing.spin), *others]
    return tuple(found)


def _single(shape: str) -> Callable[[int, Thing], tuple[Body, ...]]:
    def made(index: int, thing: Thing) -> tuple[Body, ...]:
        return (_body(index, thing, Part(shape=shape, extent=thing.extent)),)

    return made


def _body(
    index: int, thing: Thing, *parts: Part, at: Three = (0.0, 0.0, 0.0), yaw: float = 0.0
) -> Body:
    """A body whose centre is `at` in the thing's own axes, turned by yaw about their z."""
    offset = _turned(at, thing.rotation)
    x, y, z = (a + b for a, b in zip(offset, thing.position, strict=True))
    own = math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)
    return Body(
        thing=index, parts=parts, position=(x, y, z), rotation=_product(thing.rotation, own)
    )


def _product(one: Four, two: Four) -> Four:
    """Of quaternions, w first; each sum in MuJoCo's order, so that no last digit differs."""
    (a, b, c, d), (e, f, g, h) = one, two
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def _turned(vector: Three, by: Four) -> Three:
    """A vector turned by a unit quaternion; sums as above."""
    (x, y, z), (w, i, j, k) = vector, by
    if not any(vector) or tuple(by) == (1, 0, 0, 0):
        return x, y, z
    p, q, r = w * x + j * z - k * y, w * y + k * x - i * z, w * z + i * y - j * x
    return x + 2 * (j * r - k * q), y + 2 * (k * p - i * r), z + 2 * (i * q - j * p)


def _ring(index: int, thing: Thing) -> tuple[Body, ...]:
    """A hoop of ellipsoids, half of them lighter. It rolls on a smooth tread: on the bulges of its
    parts it would hop, and lose a tenth of its speed in every turn."""
    radius, _, thick = thing.extent
    middle = radius - thick
    parts = []
    for k in range(_RING_PARTS):
        angle = 2 * math.pi * (k + 0.5) / _RING_PARTS
        cos, sin = math.cos(angle), math.sin(angle)
        parts.append(
            Part(
                shape="ellipsoid",
                extent=(2 * math.pi * middle / _RING_PARTS, thick, thick),
                offset=(middle * cos, middle * sin, 0.0),
                turn=np.array([[-sin, -cos, 0.0], [cos, -sin, 0.0], [0.0, 0.0, 1.0]]),
                light=0.28 * (k < _RING_PARTS // 2),
            )
        )
    return (replace(_body(index, thing, *parts), tread=0.6 * thick),)


def _dominoes(index: int, thing: Thing) -> tuple[Body, ...]:
    """Slabs that stand in a row along its own x, the first at the back."""
    long, wide, high = thing.extent
    thick = THICKNESS * high
    slab = Part(shape="box", extent=(thick, wide, high))
    places = np.linspace(thick - long, long - thick, thing.pieces)
    return tuple(
        _body(index, thing, slab, at=(x, 0.0, 0.0), yaw=_ASKEW * (-1) ** k)
        for k, x in enumerate(places)
    )


def _blocks(index: int, thing: Thing) -> tuple[Body, ...]:
    """Cubes on each other, the first at the bottom."""
    side, _, high = thing.extent
    cube = Part(shape="box", extent=(side, side, side))
    places = np.linspace(side - high, high - side, thing.pieces)
    return tuple(
        _body(index, thing, cube, at=(0.0, 0.0, z), yaw=2 * _ASKEW * (-1) ** k)
        for k, z in enumerate(places)
    )


_MADE: dict[str, Callable[[int, Thing], tuple[Body, ...]]] = {
    "ball": _single("sphere"),
    "cube": _single("box"),
    "cylinder": _single("cylinder"),
    "cone": _single("cone"),
    "ring": _ring,
    "dominoes": _dominoes,
    "blocks": _blocks,
}


def build(scene: Scene, surface: Surface | None = None) -> mujoco.MjModel:
    """The scene as a model: a free body for each of `bodies`, its origin at its centre.

    surface: another ground than the setting's.
    """
    import mujoco

    made = bodies(scene)
    solids = [_solids(number, body) for number, body in enumerate(made)]
    meshes = "".join(
        _cone(number, part.extent)
        for number, body in enumerate(made)
        for part in body.parts
        if part.shape == "cone"
    )
    # A ring's parts overlap: a torus has three quarters of their volume.
    densities = [DENSITY * (0.75 if body.tread else 1.0) for body in made]
    drawn = "".join(
        f'<body name="body{number}"><freejoint/>'
        + "".join(
            f'<geom name="{name}" {geom} density="{density if weighs else 0.0}"/>'
            for name, geom, weighs in own
        )
        + "</body>"
        for number, (own, density) in enumerate(zip(solids, densities, strict=True))
    )
    names = [{name: weighs for name, _, weighs in own} for own in ([("ground", "", True)], *solids)]
    pairs, sensors = _contacts(scene, names, surface or SURFACES[scene.setting])
    return mujoco.MjModel.from_xml_string(
        f"""<mujoco>
        <option timestep="{1 / STEPS_PER_SECOND!r}" gravity="0 0 {-scene.gravity!r}"
                cone="elliptic" impratio="10"/>
        <asset>{meshes}</asset>
        <worldbody><geom name="ground" type="plane" size="0 0 1"/>{drawn}</worldbody>
        <contact>{pairs}</contact>
        <sensor>{sensors}</sensor>
        </mujoco>"""
    )


def begin(scene: Scene, model: mujoco.MjModel) -> mujoco.MjData:
    """The state at the first frame: qpos and qvel as the scene gives them."""
    import mujoco

    data = mujoco.MjData(model)
    for index, body in enumerate(bodies(scene)):
        rotation = np.array(body.rotation) / np.linalg.norm(body.rotation)
        spin = np.zeros(3)  # MuJoCo turns a free body about its own axes, a scene about the world's
        mujoco.mju_rotVecQuat(spin, np.array(body.spin), rotation * (1, -1, -1, -1))
        data.qpos[7 * index : 7 * index + 7] = (*body.position, *rotation)
        data.qvel[6 * index : 6 * index + 6] = (*body.velocity, *spin)
    mujoco.mj_forward(model, data)
    return data


def _solids(number: int, body: Body) -> list[tuple[str, str, bool]]:
    """What a body touches with: (name, geom, whether it weighs anything); a tread does not."""
    found = []
    for place, part in enumerate(body.parts):
        x, y, z = part.extent
        shape = {
            "sphere": f'type="sphere" size="{x}"',
            "box": f'type="box" size="{x} {y} {z}"',
            "ellipsoid": f'type="ellipsoid" size="{x} {y} {z}"',
            "cylinder": f'type="cylinder" size="{x} {z}"',
            "cone": f'type="mesh" mesh="cone{number}"',
        }[part.shape]
        axes = " ".join(f"{v:.7f}" for v in (*part.turn[:, 0], *part.turn[:, 1]))
        where = " ".join(f"{v:.7f}" for v in part.offset)
        name = f"body{number}part{place}"
        found.append((name, f'{shape} pos="{where}" xyaxes="{axes}"', True))
    if body.tread:
        part = body.parts[0]
        radius = 1.003 * (math.hypot(*part.offset) + part.extent[1])
        size = f'type="ellipsoid" size="{radius} {radius} {body.tread}"'
        found.append((f"body{number}tread", size, False))
    return found


def _cone(number: int, extent: Three) -> str:
    radius, _, half = extent
    around = 2 * math.pi / _CONE_SIDES
    rim = (
        f"{radius * math.cos(k * around):.7f} {radius * math.sin(k * around):.7f} {-half}"
        for k in range(_CONE_SIDES)
    )
    return f'<mesh name="cone{number}" vertex="{" ".join(rim)} 0 0 {half}"/>'


def _contacts(scene: Scene, names: list[dict[str, bool]], surface: Surface) -> tuple[str, str]:
    """The pairs that may touch, and for each two bodies of different things a sensor of the force
    between them, in the order of `sensed`. names: of the geoms of the ground and of each body."""
    pairs, sensors = [], []
    for (low, high), (one, other) in _touching(scene):
        how = _touch(scene, one, other, surface)
        pairs += [
            f'<pair geom1="{a}" geom2="{b}" {how}/>'
            for a in names[low]
            for b, weighs in names[high].items()
            if low == 0 or (weighs and names[low][a])
        ]
        if one != other:
            first = f"body{low - 1}" if low else "world"
            sensors.append(
                f'<contact body1="{first}" body2="body{high - 1}" reduce="netforce" data="force"/>'
            )
    return "".join(pairs), "".join(sensors)


def _touching(scene: Scene) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """All pairs of bodies that may touch, 0 the ground, and the owners of both."""
    owners = [0, *(body.thing + 1 for body in bodies(scene))]
    return [
        ((low, high), (owners[low], owners[high]))
        for low in range(len(owners))
        for high in range(low + 1, len(owners))
    ]


def sensed(scene: Scene) -> list[tuple[int, int]]:
    """The owners, the lower first and 0 the ground, whose touch each sensor of the model feels."""
    return [owners for _, owners in _touching(scene) if owners[0] != owners[1]]


def _touch(scene: Scene, low: int, high: int, surface: Surface) -> str:
    """How two owners touch: friction, and a spring that gives some of the speed back."""
    thing = scene.things[high - 1]
    slide, roll = 0.25, 0.0
    if low == 0:
        slide, roll = surface.slide, surface.roll
        bounce = surface.bounce * LIVELINESS[thing.kind]
        if slide and _grips(thing):
            slide = max(slide, GRIP)
        if thing.action not in ("falls", "flies"):
            bounce *= 0.3  # what stands or travels keeps to the ground
    elif low == high:
        slide, bounce = 0.35, 0.1  # pieces of unpolished wood
    else:
        both = [scene.things[i - 1] for i in (low, high)]
        bounce = 0.75 * min(LIVELINESS[one.kind] for one in both)
        if any(one.action == "stacks" for one in both):
            slide, bounce = 0.5, 0.3 * bounce  # what is set down is no rubber ball
    # A round thing that loses `roll` m/s^2 is held back by a torque of N times this length.
    inertia = _INERTIA.get(thing.kind, 0.5)
    arm = roll * thing.extent[0] * (1 + inertia) / scene.gravity
    return (
        f'condim="{6 if arm and thing.kind in _INERTIA else 3}" '
        f'friction="{slide} {slide} 0.005 {arm} {arm}" '
        f'solref="{_spring(bounce)}" solimp="0.95 0.95 0.001"'
    )


def _grips(thing: Thing) -> bool:
    """Whether it rolls from the start: a wheel does not skid where a sledge slides."""
    return thing.kind == "ball" or (thing.action in ("rolls", "hits") and any(thing.spin))


def _spring(bounce: float) -> str:
    """MuJoCo's (-stiffness, -damping) of a contact that keeps this share of the speed."""
    loss = -math.log(bounce)
    damping = loss / math.hypot(math.pi, loss)
    return f"{-(STIFFNESS**2)} {-2 * damping * STIFFNESS}"
