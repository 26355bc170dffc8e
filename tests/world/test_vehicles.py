"""Laws of the actors that swim, fly, drive and sail: what a cycle does is what the path says."""

import math
from dataclasses import replace

import numpy as np
import pytest

from worldreel.world.act import act
from worldreel.world.actors import RIGS
from worldreel.world.actors.rig import Gait, posed
from worldreel.world.scene import Camera, Scene, Thing

KINDS = ("fish", "dragon", "car", "train", "ship")
WHEELS = {
    "car": ("left front wheel", "right front wheel", "left rear wheel", "right rear wheel"),
    "train": ("first driver", "last driver", "front wheels", "first front wheels",
              "first rear wheels", "last front wheels", "last rear wheels"),
}  # fmt: skip
# How far a solid reaches: p across its axis, q along it, both of its scaled axes; f on its flat
# sides where it has some.
REACH = {
    "ellipsoid": lambda p, q, f: np.hypot(p, q),
    "block": lambda p, q, f: f + np.abs(q),
    "tube": lambda p, q, f: p + np.abs(q),
    "cylinder": lambda p, q, f: p + np.abs(q),
    "frustum": lambda p, q, f: np.maximum(p - q, p / 2 + q),
    "spike": lambda p, q, f: np.maximum(p - q, q),
}


def _gait(pace: float = 1.0, frames: int = 240, **changes) -> Gait:
    """Four seconds in which the cycle comes round many times."""
    still = np.zeros(frames)
    seconds = np.linspace(0.0, 4.0, frames)
    phase = 13.0 * seconds * (pace > 0)
    gait = Gait(
        phase=phase, pace=still + pace, air=still, wave=still, seconds=seconds, bend=still
    )  # fmt: skip
    return replace(gait, **changes)


def _reach(kind: str, gait: Gait) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest (F, 3) that any bone reaches, in the actor's axes."""
    rig = RIGS[kind]
    centre, turn = posed(rig, gait)
    low, high = [], []
    for n, bone in enumerate(rig.bones):
        x, y, q = np.moveaxis(turn[:, n] * np.array(bone.extent), -1, 0)
        p, flat = np.hypot(x, y), np.abs(x) + np.abs(y)
        low.append(centre[:, n] - REACH[bone.shape](p, -q, flat))
        high.append(centre[:, n] + REACH[bone.shape](p, q, flat))
    return np.min(low, axis=0), np.max(high, axis=0)


def _scene(kind: str, *, fast=False, event=None, at=0.5, heading=0.0, size=1.0, **changes) -> Scene:
    rig = RIGS[kind]
    speed = size * rig.speed[fast]
    extent = tuple(size * half for half in rig.size)
    values = dict(kind=kind, color="red", size="medium", material="matte", extent=extent)
    values |= dict(position=(0.0, 0.0, extent[2] + size * rig.float_), event=event, at=at)
    values |= dict(rotation=(math.cos(heading / 2), 0.0, 0.0, math.sin(heading / 2)))
    values |= dict(velocity=(speed * math.cos(heading), speed * math.sin(heading), 0.0))
    thing = Thing(**values | dict(action=rig.goes[fast]) | changes)
    camera = Camera(move="static", eye=(0.0, -4.0, 1.2), look_at=(0.0, 0.0, 0.6))
    return Scene(
        seed=0, setting="meadow", light="noon", things=(thing,), camera=camera, seconds=2.5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_rig_is_a_few_primitives_of_plain_shapes(kind):
    bones = RIGS[kind].bones
    assert 12 <= len(bones) <= 28
    assert len({bone.name for bone in bones}) == len(bones)
    assert {bone.shape for bone in bones} <= set(REACH)
    # Enough of it has the actor's own colour for that to be what it is called by.
    coat = sum(math.prod(bone.extent) for bone in bones if bone.color == "coat")
    assert coat > (0.15 if kind == "ship" else 0.5) * sum(math.prod(b.extent) for b in bones)


@pytest.mark.parametrize("pace", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("kind", KINDS)
def test_its_box_holds_the_whole_of_it_and_little_more(kind, pace):
    half = np.array(RIGS[kind].size)
    low, high = _reach(kind, _gait(pace))
    if kind == "dragon" and pace == 0:
        low, high = (corner + (0.0, 0.0, RIGS[kind].float_) for corner in (low, high))
    if kind == "ship":
        low[:, 2] = np.maximum(low[:, 2], 0.0)  # the keel is below the water
    slack = 1e-3
    assert (np.abs(low[:, :2]) <= half[:2] + slack).all()
    assert (np.abs(high[:, :2]) <= half[:2] + slack).all()
    assert (low[:, 2] >= -slack).all() and (high[:, 2] <= 2 * half[2] + slack).all()
    if pace == 1:
        across = np.maximum(np.abs(low), np.abs(high))[:, :2].max(0)
        assert (across > 0.8 * half[:2]).all()
        assert high[:, 2].max() > 0.85 * 2 * half[2]


@pytest.mark.parametrize("size", [0.7, 1.0])
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", WHEELS)
def test_wheels_turn_exactly_as_the_ground_passes(kind, fast, size):
    rig = RIGS[kind]
    take = act(_scene(kind, fast=fast, size=size, event="stops", at=1.2))
    went = take.centre[:, 0, 0] - take.centre[0, 0, 0]
    assert went[-1] > 1.0 * size and went[-1] == pytest.approx(went[-6], abs=1e-6)
    for name in WHEELS[kind]:
        wheel = rig.index(name)
        axes = take.rotation[:, wheel].astype(np.float64)
        # Its own x axis, seen from its left: forward and down as it rolls forward.
        angle = np.unwrap(np.arctan2(-axes[:, 2, 0], axes[:, 0, 0]), period=2 * math.pi)
        radius = size * rig.bones[wheel].extent[0]
        # Small wheels turn by more than half between frames: only whole turns are left open.
        whole = 2 * math.pi * radius
        slip = (radius * (angle - angle[0]) - went) / whole
        assert np.abs(slip - np.round(slip)).max() * whole < 1e-3
        assert take.position[:, wheel, 2] == pytest.approx(radius, abs=1e-3)


@pytest.mark.parametrize("kind", WHEELS)
def test_what_shows_a_wheels_turn_is_never_read_backward(kind):
    # A spoke looks the same after half a turn: in a frame it goes by less than a quarter.
    rig = RIGS[kind]
    radius = max(bone.extent[0] for bone in rig.bones if bone.name in WHEELS[kind])
    assert rig.speed[1] / radius / 12 < 0.9 * math.pi / 2


def test_the_coupling_rods_ride_on_their_pins_and_stay_level():
    rig = RIGS["train"]
    gait = _gait()
    centre, turn = posed(rig, gait)
    first, last = (centre[:, rig.index(f"{name} driver")] for name in ("first", "last"))
    pins = []
    for side in ("left", "right"):
        rod = rig.index(f"{side} rod")
        assert turn[:, rod, :, 0] == pytest.approx(np.tile((1.0, 0.0, 0.0), (240, 1)), abs=1e-9)
        pin = centre[:, rod] - (first + last) / 2
        radius = np.hypot(pin[:, 0], pin[:, 2])
        assert radius == pytest.approx(radius[0], abs=1e-9) and radius[0] > 0.05
        angle = np.unwrap(np.arctan2(-pin[:, 2], pin[:, 0]))
        assert angle - angle[0] == pytest.approx(gait.phase, abs=1e-6)
        pins.append(pin)
    # A quarter turn apart, so that one of them always pushes.
    across = pins[0][:, 0] * pins[1][:, 0] + pins[0][:, 2] * pins[1][:, 2]
    assert across == pytest.approx(0.0, abs=1e-9)


def test_wagons_come_after_the_engine_in_a_bend_and_straighten_out():
    rig = RIGS["train"]
    take = act(_scene("train", event="turns", at=0.3))
    yaw = {}
    for name in ("cab", "first wagon", "last wagon"):
        axes = take.rotation[:, rig.index(name)]
        yaw[name] = np.unwrap(np.arctan2(axes[:, 1, 0], axes[:, 0, 0]))
    bend = np.argmax(np.abs(yaw["cab"]) > 1.0)
    turned = [abs(yaw[name][bend]) for name in ("cab", "first wagon", "last wagon")]
    assert turned[0] > turned[1] + 0.2 > turned[2] + 0.3
    assert yaw["first wagon"][0] == yaw["cab"][0] == pytest.approx(0.0, abs=1e-6)
    gaps = np.abs(yaw["cab"] - yaw["first wagon"])
    assert gaps.max() < 1.2 and gaps[-1] < 0.6 * gaps.max()


def test_a_wave_runs_down_a_fish_and_grows_on_its_way():
    rig = RIGS["fish"]
    spine = [rig.index(name) for name in ("head", "belly", "rear", "root", "tail")]
    swung = {}
    for pace in (0.0, 1.0, 2.0):
        # One beat at the speed of its way, sampled finely.
        gait = _gait(pace, seconds=np.zeros(240), phase=np.linspace(0, 2 * math.pi, 240))
        _, turn = posed(rig, gait)
        swung[pace] = np.unwrap(np.arctan2(turn[:, spine, 1, 0], turn[:, spine, 0, 0]))
    beat = np.exp(-1j * np.linspace(0, 2 * math.pi, 240))[:-1] @ swung[1.0][:-1]
    lag = -np.unwrap(np.angle(beat)) + np.angle(beat[0])
    assert (np.diff(lag) > 0.3).all() and lag[-1] < 2 * math.pi
    assert (np.diff(np.abs(beat)) > 0).all()
    size = [np.ptp(swung[pace][:, -1]) for pace in (0.0, 1.0, 2.0)]
    assert size[0] < 0.5 * size[1] < size[1] < size[2]


def test_a_dragons_wings_beat_as_mirror_images_and_it_stands_on_its_feet():
    rig = RIGS["dragon"]
    gait = _gait()
    centre, _ = posed(rig, gait)
    for part in ("arm", "hand", "web", "tip"):
        left, right = (centre[:, rig.index(f"{side} {part}")] for side in ("left", "right"))
        # Its head and its tail swing too, its wings hang on the body alone.
        assert left == pytest.approx(right * (1.0, -1.0, 1.0), abs=1e-9)
    assert np.ptp(centre[:, rig.index("left tip"), 2]) > 0.5
    low, _ = _reach("dragon", _gait(0.0))
    assert low[:, 2] + rig.float_ == pytest.approx(0.0, abs=0.02)
    low, _ = _reach("dragon", gait)
    assert (low[:, 2] + rig.float_ > 0.05).all()


def test_a_ship_rolls_on_the_swell_with_its_keel_in_the_water():
    rig = RIGS["ship"]
    gait = _gait(0.0)
    centre, turn = posed(rig, gait)
    mast = turn[:, rig.index("main mast")]
    roll = np.arctan2(-mast[:, 1, 2], mast[:, 2, 2])
    assert 0.1 < np.ptp(roll) < 0.3
    hull = rig.index("hull")
    half = rig.bones[hull].extent[2]
    assert (np.abs(centre[:, hull, 2]) < 0.7 * half).all()  # the waterline crosses the hull
    deck = centre[:, rig.index("deck"), 2]
    assert (deck > 0.2).all()


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("heading", [0.0, math.pi, -math.pi / 2])
@pytest.mark.parametrize("kind", KINDS)
def test_it_turns_round_on_a_bend_and_goes_back(kind, heading, fast):
    take = act(_scene(kind, fast=fast, event="turns", at=0.5, heading=heading))
    facing, centre = take.facing[:, 0], take.centre[:, 0]
    assert facing[-1] == pytest.approx(-facing[0], abs=1e-3)
    step = np.diff(centre[:, :2], axis=0)
    pace = np.linalg.norm(step, axis=1) * 12
    slow = RIGS[kind].speed[0]
    assert pace.min() > 0.5 * slow
    # It goes where it faces all the while: nothing skids.
    middle = (facing[1:] + facing[:-1]) / 2
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    assert ((step * middle).sum(1) * 12 > 0.97 * pace).all()
    if abs(facing[0, 0]) > 0.5:
        assert centre[-1, 1] < centre[0, 1]  # to the side of the viewer


@pytest.mark.parametrize("kind", KINDS)
def test_it_stops_and_stays(kind):
    take = act(_scene(kind, event="stops", at=0.6))
    centre = take.centre[:, 0]
    assert np.linalg.norm(centre[7] - centre[0]) > 0.3
    assert np.abs(centre[-1] - centre[14]).max() < 1e-6
    assert (take.facing[:, 0] == take.facing[0, 0]).all()
