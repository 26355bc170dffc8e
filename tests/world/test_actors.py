"""Laws of the actors on land: feet that do not slide, legs that alternate, boxes that hold them."""

import dataclasses

import numpy as np
import pytest

from worldreel.world.act import act
from worldreel.world.actors import RIGS
from worldreel.world.actors.rig import Gait, posed
from worldreel.world.record import waved
from worldreel.world.scene import FPS, SHAPES, Camera, Scene, Thing

LAND = ("woman", "man", "robot", "dog", "mammoth")
UPRIGHT = ("woman", "man", "robot")
CYCLE = 240  # frames of one cycle


def gait(pace: float, **values: float) -> Gait:
    """One cycle at an even pace, a second long."""
    ramp = np.linspace(0.0, 1.0, CYCLE, endpoint=False)
    rows = dict(phase=2 * np.pi * ramp, pace=pace, air=0.0, wave=0.0, seconds=3 * ramp, bend=0.0)
    return Gait(**{name: row + np.zeros(CYCLE) for name, row in (rows | values).items()})


def halves(rig, turns):
    """How far each primitive reaches from its centre along each axis: (F, P, 3)."""
    extent = np.array([bone.extent for bone in rig.bones])
    shape = np.array([bone.shape for bone in rig.bones])
    scaled = turns * extent[:, None]
    across, along = np.hypot(scaled[..., 0], scaled[..., 1]), np.abs(scaled[..., 2])
    round_, square = np.sqrt(across**2 + along**2), np.abs(scaled).sum(-1)
    ball, block = (np.isin(shape, names)[:, None] for names in (("ellipsoid",), ("block",)))
    return np.where(ball, round_, np.where(block, square, across + along))


def reach(rig, gait) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the box that holds every frame, in the actor's axes."""
    centres, turns = posed(rig, gait)
    half = halves(rig, turns)
    return (centres - half).min((0, 1)), (centres + half).max((0, 1))


def feet(rig) -> list[int]:
    """The last bone of each leg."""
    names = [bone.name for bone in rig.bones]
    thighs = [name.removesuffix(" thigh") for name in names if name.endswith(" thigh")]
    lowest = [f"{leg} foot" if f"{leg} foot" in names else f"{leg} shin" for leg in thighs]
    return [names.index(name) for name in lowest]


def ends(rig, centres, turns) -> np.ndarray:
    """Where each leg ends, (F, legs, 3): under the middle of a foot, or of a pillar's lower end."""
    at = feet(rig)
    long = np.array([rig.bones[i].extent[2] for i in at])[:, None]
    pillar = np.array([[rig.bones[i].name.endswith("shin")] for i in at])
    below = np.where(pillar, turns[:, at][..., 2] * long, halves(rig, turns)[:, at] * (0, 0, 1))
    return centres[:, at] - below


def soles(rig, gait) -> np.ndarray:
    """Where each leg ends in the actor's axes, (F, legs, 3)."""
    return ends(rig, *posed(rig, gait))


def film(kind: str, **changes) -> Scene:
    rig = RIGS[kind]
    values = dict(kind=kind, color="red", size="medium", material="matte", extent=rig.size)
    values |= dict(position=(-1.0, 0.0, rig.size[2]), velocity=(rig.speed[0], 0.0, 0.0))
    camera = Camera(move="static", eye=(0.0, -4.0, 1.2), look_at=(0.0, 0.0, 0.6))
    thing = Thing(**values | dict(action=rig.goes[0]) | changes)
    return Scene(seed=0, setting="meadow", light="noon", things=(thing,), camera=camera)


def slides(take, rig) -> np.ndarray:
    """How fast the feet that are on the ground move over it, metres per second."""
    size = take.scene.things[0].extent[2] / rig.size[2]
    end = ends(rig, take.position / size, take.rotation) * size
    pace = np.linalg.norm(np.diff(end, axis=0)[..., :2], axis=-1) * FPS
    height = end[..., 2] - end[..., 2].min()
    return pace[np.maximum(height[1:], height[:-1]) < 0.015 * size]


@pytest.mark.parametrize("kind", LAND)
def test_a_rig_is_of_few_primitives_with_names_of_their_own(kind):
    rig = RIGS[kind]
    assert 10 <= len(rig.bones) <= 26
    assert len({bone.name for bone in rig.bones}) == len(rig.bones)
    assert {bone.shape for bone in rig.bones} <= set(SHAPES)
    assert sum(bone.color == "coat" for bone in rig.bones) >= 2
    assert rig.goes == ("walks", "runs") and rig.speed[0] < rig.speed[1]


@pytest.mark.parametrize("kind", LAND)
@pytest.mark.parametrize("way", [0, 1])
def test_a_foot_on_the_ground_moves_back_as_fast_as_the_actor_goes(kind, way):
    rig, speed, stride = RIGS[kind], RIGS[kind].speed[way], RIGS[kind].stride[way]
    sole = soles(rig, gait(1.0 + way))
    step = np.diff(np.concatenate([sole, sole[:1]]), axis=0)[..., 0] / (stride / speed / CYCLE)
    low = sole[..., 2] < sole[..., 2].min() + 0.012
    down = low & np.roll(low, -1, axis=0)
    assert down.any(0).all()  # every foot has its turn
    assert np.abs(np.median(step[down]) / -speed - 1) < 0.04
    assert np.quantile(np.abs(step[down] + speed), 0.9) < 0.15 * speed
    if way == 0:
        assert down.any(1).mean() > 0.95  # who walks never leaves the ground


@pytest.mark.parametrize("kind", LAND)
@pytest.mark.parametrize("pace", [0.0, 1.0, 1.5, 2.0])
def test_feet_stand_on_the_ground_and_not_in_it(kind, pace):
    sole = soles(RIGS[kind], gait(pace))
    assert -0.012 < sole[..., 2].min() < 0.03
    low, _ = reach(RIGS[kind], gait(pace))
    assert low[2] > -0.045  # the rim of a slanting pillar


@pytest.mark.parametrize("kind", LAND)
@pytest.mark.parametrize("pace", [1.0, 2.0])
def test_legs_swing_in_antiphase(kind, pace):
    rig = RIGS[kind]
    x = soles(rig, gait(pace))[..., 0]
    half = np.roll(x, CYCLE // 2, axis=0)
    if kind != "dog" or pace == 1.0:  # each left leg is its right one half a cycle later
        count = x.shape[1] // 2
        assert np.allclose(x[:, :count], half[:, count:], atol=1e-6)
    x = x - x.mean(0)
    names = [rig.bones[i].name.rsplit(" ", 1)[0] for i in feet(rig)]
    together = np.corrcoef(x.T)
    if kind in UPRIGHT:
        assert together[0, 1] < -0.85
        return
    at = {name: place for place, name in enumerate(names)}
    for end in ("fore", "hind"):
        if kind == "mammoth" or pace == 1.0:
            assert together[at[f"left {end}"], at[f"right {end}"]] < -0.8
    for side, other in (("left", "right"), ("right", "left")):
        diagonal = together[at[f"{side} fore"], at[f"{other} hind"]]
        same = together[at[f"{side} fore"], at[f"{side} hind"]]
        if kind == "mammoth":  # a quarter of a cycle apart
            assert abs(diagonal) < 0.35 and abs(same) < 0.35
        elif pace == 1.0:  # a trot: diagonals together
            assert diagonal > 0.95 and same < -0.9
        else:  # a gallop: fore against hind
            assert same < -0.9


@pytest.mark.parametrize("kind", LAND)
@pytest.mark.parametrize(
    "doing",
    [
        dict(pace=0.0),
        dict(pace=1.0),
        dict(pace=1.5),
        dict(pace=2.0),
        dict(pace=0.0, bend=5.5),
        dict(pace=1.0, wave=1.0),
        dict(pace=2.0, wave=1.0),
        dict(pace=1.0, air=1.0),
        dict(pace=2.0, air=1.0),
    ],
    ids=str,
)
def test_the_box_holds_all_of_it_in_all_that_it_does(kind, doing):
    rig = RIGS[kind]
    if "jumps" not in rig.events:
        doing = {**doing, "air": 0.0}
    low, high = reach(rig, gait(**doing))
    x, y, z = rig.size
    assert low[0] >= -x and high[0] <= x
    assert low[1] >= -y and high[1] <= y
    assert low[2] >= -0.045 and high[2] <= 2 * z


@pytest.mark.parametrize("kind", LAND)
def test_the_box_is_no_larger_than_it_needs_to_be(kind):
    rig = RIGS[kind]
    doing = [dict(pace=pace, wave=wave) for pace in (0.0, 1.0, 2.0) for wave in (0.0, 1.0)]
    doing += [dict(pace=pace, air=1.0) for pace in (1.0, 2.0)]
    corners = [np.abs(reach(rig, gait(**each))) for each in doing]
    used = np.max(corners, axis=(0, 1)) / (1.0, 1.0, 2.0)
    assert (np.array(rig.size) - used < 0.06).all()


@pytest.mark.parametrize("kind", LAND)
@pytest.mark.parametrize("way", [0, 1])
def test_feet_do_not_slide_in_a_clip_at_any_size_and_speed(kind, way):
    rig = RIGS[kind]
    for scale, haste in ((1.0, 1.0), (0.7, 0.8), (1.3, 1.15)):
        speed = rig.speed[way] * scale * haste
        extent = tuple(scale * e for e in rig.size)
        take = act(
            film(kind, velocity=(speed, 0.0, 0.0), extent=extent, action=rig.goes[way],
                 position=(-1.0, 0.0, extent[2]))
        )  # fmt: skip
        assert np.median(slides(take, rig)) < 0.12 * speed


@pytest.mark.parametrize("kind", LAND)
def test_events_show(kind):
    rig = RIGS[kind]
    plain = act(film(kind))
    for event in rig.events:
        take = act(film(kind, event=event, at=0.6))
        before = round(0.6 * FPS)
        assert np.allclose(take.position[:before], plain.position[:before], atol=1e-6)
        later = slice(before + 6, before + 10)
        moved = np.abs(take.position[later] - plain.position[later]).max()
        assert moved > 0.1, event
    stopped = act(film(kind, event="stops", at=0.6))
    ways = stopped.centre[:, 0, 0]
    assert ways[-1] == pytest.approx(ways[-6], abs=1e-6)
    low = stopped.position[-1, feet(rig), 2]
    assert np.ptp(low) < 0.02  # it stands on all of its feet


@pytest.mark.parametrize("kind", ("woman", "man", "robot", "mammoth"))
def test_a_hand_or_a_trunk_that_waves_is_raised_and_swings(kind):
    rig = RIGS[kind]
    for speed in (0.0, *rig.speed):
        way = rig.goes[0] if speed < 1.2 else rig.goes[1]
        action = way if speed else rig.stands
        velocity = (speed, 0.0, 0.0)
        take = act(film(kind, event="waves", at=0.3, velocity=velocity, action=action))
        assert waved(take, 0) in range(round(0.3 * FPS), round(0.8 * FPS))
        assert waved(act(film(kind, velocity=velocity, action=action)), 0) is None
        assert waved(act(film(kind, event="stops", at=0.3, velocity=velocity)), 0) is None


def test_a_jump_is_a_parabola():
    take = act(film("dog", event="jumps", at=0.5))
    body = take.position[:, RIGS["dog"].index("chest"), 2] - take.position[0, 0, 2]
    assert 0.2 < body.max() < 0.45
    assert abs(body[-1]) < 0.05


@pytest.mark.parametrize("kind", LAND)
def test_motion_is_smooth(kind):
    for pace in (1.0, 2.0):
        centres, _ = posed(RIGS[kind], gait(pace))
        step = np.linalg.norm(np.diff(centres, axis=0), axis=-1)
        assert step.max() < 0.06  # of 240 in a cycle


def test_a_cycle_is_the_same_bytes_again():
    scene = film("mammoth", event="waves", at=0.5)
    one, other = act(scene), act(scene)
    assert one.position.tobytes() == other.position.tobytes()
    assert dataclasses.replace(scene).to_json() == Scene.from_json(scene.to_json()).to_json()
