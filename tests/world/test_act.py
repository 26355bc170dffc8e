"""Laws of physics and of the record: gravity, the floor, mirror images, what was said happens."""

import dataclasses
import math

import mujoco
import numpy as np
import pytest

from worldreel.errors import SceneError
from worldreel.world import record, stage
from worldreel.world.act import act, reflect, stage_scene, stage_shots
from worldreel.world.camera import field_of_view, poses
from worldreel.world.facts import facts
from worldreel.world.record import bounces, lowest, path, struck
from worldreel.world.sample import sample
from worldreel.world.scene import ACTORS, FPS, THINGS, Camera, Scene, Thing, mirror
from worldreel.world.stories import STORIES
from worldreel.world.surface import Surface
from worldreel.world.verdict import confirm

SEEDS, SIX = range(60), range(6)
ICE = Surface(slide=0.0, roll=0.0, bounce=0.5)


@pytest.fixture(scope="module")
def takes():
    return [stage_scene(seed) for seed in SEEDS]


def _ball(setting="wooden table", **changes) -> Scene:
    values = dict(kind="ball", color="red", size="medium", material="matte")
    values |= dict(extent=(0.35, 0.35, 0.35), position=(0.0, 0.0, 0.35))
    camera = Camera(move="static", eye=(0.0, -4.0, 1.2), look_at=(0.0, 0.0, 0.6))
    return Scene(
        seed=0, setting=setting, light="noon", things=(Thing(**values | changes),), camera=camera
    )


def _things(take) -> np.ndarray:
    """The primitives that physics moves."""
    own = [i + 1 for i, thing in enumerate(take.scene.things) if thing.kind not in ACTORS]
    return np.flatnonzero(np.isin(take.owner, own))


@pytest.mark.parametrize(("setting", "gravity"), [("meadow", 9.81), ("coral reef", 3.0)])
def test_free_fall_is_gravity(setting, gravity):
    scene = dataclasses.replace(
        _ball(setting, position=(0.0, 0.0, 6.0), action="falls"), gravity=gravity
    )
    take = act(scene)
    time = np.arange(take.num_frames) / FPS
    falling = time < 1.0
    height = path(take, 0)[falling, 2]
    measured = -2 * np.polyfit(time[falling], height, 2)[0]
    assert measured == pytest.approx(gravity, rel=0.01)
    fallen = 6.0 - height[-1]
    assert fallen == pytest.approx(gravity * time[falling][-1] ** 2 / 2, rel=0.01)


def test_what_is_thrown_flies_on_a_parabola(takes):
    thrown = [stage_scene(seed, story="flies") for seed in range(4)]
    for take in [*thrown, *(t for t in takes if t.scene.things[0].action == "flies")]:
        if take.scene.things[0].kind in ("cone", *ACTORS):
            continue  # a cone's middle is not its centre of mass
        end = record.landed(take, 0) - 1
        time, where = np.arange(end) / FPS, path(take, 0)[:end]
        assert end >= 4
        assert -2 * np.polyfit(time, where[:, 2], 2)[0] == pytest.approx(
            take.scene.gravity, rel=0.01
        )
        straight = np.polyfit(time, where[:, 0], 1)
        assert np.allclose(np.polyval(straight, time), where[:, 0], atol=1e-3)


@pytest.mark.parametrize("target", ["cube", "ball", "blocks"])
def test_momentum_is_kept_where_nothing_holds_back(target):
    extent = (0.25, 0.25, 0.75) if target == "blocks" else (0.33, 0.33, 0.33)
    other = Thing(
        kind=target, color="blue", size="medium", material="matte", extent=extent,
        position=(0.9, 0.05, extent[2]), pieces=3 if target == "blocks" else 1,
    )  # fmt: skip
    scene = _ball(kind="cube", velocity=(1.6, 0.0, 0.0))
    striker = dataclasses.replace(scene.things[0], position=(-0.9, 0.0, 0.35), action="hits")
    scene = dataclasses.replace(
        scene, things=(dataclasses.replace(striker, target=1), other), setting="meadow"
    )
    take = act(scene, surface=ICE)
    mass = stage.build(scene).body_mass[1:]
    moved = np.einsum("p,fpi->fi", mass, take.velocity.astype(np.float64))[:, :2]
    assert struck(take)[0, 1] < take.num_frames - 4
    assert np.abs(moved - moved[0]).max() < 0.02 * np.abs(moved[0]).max()
    # The same on a ground that holds back is not.
    held = np.einsum("p,fpi->fi", mass, act(scene).velocity.astype(np.float64))[:, 0]
    assert held[-1] < 0.8 * held[0]


@pytest.mark.parametrize(
    "story",
    [
        name
        for name, row in STORIES.items()
        if "ball" in row.manners or "cube" in row.manners or "dominoes" in row.manners
    ],
)
def test_energy_comes_from_nowhere(story):
    for seed in range(3):
        scene = sample(seed, story=story)
        model = stage.build(scene)
        model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
        data = stage.begin(scene, model)
        start = data.energy.sum()
        most = start
        for _ in range(round(2.0 / model.opt.timestep)):
            mujoco.mj_step(model, data)
            most = max(most, data.energy.sum())
        assert most < start + 0.005 * abs(start) + 0.5  # joules


def test_a_stack_of_blocks_stands_for_ever():
    for pieces in (2, 3, 4):
        for side in (0.2, 0.17, 0.231):
            stack = _ball(
                kind="blocks", pieces=pieces, extent=(side, side, pieces * side),
                position=(0.1, 0.0, pieces * side),
            )  # fmt: skip
            take = act(dataclasses.replace(stack, seconds=6.0))
            assert np.abs(take.position - take.position[0]).max() < 0.01


@pytest.mark.parametrize(
    ("setting", "bounce"), [("wooden table", 0.78), ("meadow", 0.62), ("snowfield", 0.52)]
)
def test_a_ball_bounces_as_its_ground_says(setting, bounce):
    take = act(_ball(setting, position=(0.0, 0.0, 1.65), action="falls"))
    # 12 frames a second seldom catch the very top.
    assert bounces(take, 0) == pytest.approx(1.3 * bounce**2, abs=0.1)


def test_a_rolling_ball_keeps_its_speed_and_rolls():
    take = act(
        _ball(
            velocity=(1.2, 0.0, 0.0), spin=(0.0, 1.2 / 0.35, 0.0), action="rolls", direction="right"
        )
    )
    went = path(take, 0)[:, 0]
    time = np.arange(take.num_frames) / FPS
    assert np.allclose(went, 1.2 * time - 0.06 * time**2 / 2, atol=0.03)
    assert "action(0) == rolls" in map(str, facts(take))


def test_a_block_slides_as_far_as_friction_lets_it():
    take = act(_ball(kind="cube", velocity=(2.0, 0.0, 0.0), action="slides", direction="right"))
    assert path(take, 0)[-1, 0] == pytest.approx(2.0**2 / (2 * 0.20 * 9.81), rel=0.05)
    assert "action(0) == slides" in map(str, facts(take))


def test_the_same_seed_is_the_same_bytes(takes):
    for seed in (1, 9, 25):
        again = stage_scene(seed)
        assert again.scene.to_json() == takes[seed].scene.to_json()
        assert again.contacts == takes[seed].contacts
        for field in dataclasses.fields(again):
            one, other = getattr(again, field.name), getattr(takes[seed], field.name)
            if isinstance(one, np.ndarray):
                assert one.dtype == other.dtype and one.tobytes() == other.tobytes()


def test_the_shapes_and_types_of_a_record():
    take = act(sample(4), size=(144, 256))
    frames, count = take.num_frames, len(take.owner)
    assert frames == 24 and count >= len(take.scene.things)
    assert set(take.owner) == set(range(1, len(take.scene.things) + 1))
    assert take.centre.shape == (frames, len(take.scene.things), 3)
    assert take.facing.shape == (frames, len(take.scene.things), 2)
    shapes = {"position": (3,), "rotation": (3, 3), "velocity": (3,)}
    for name, shape in shapes.items():
        assert getattr(take, name).shape == (frames, count, *shape)
        assert getattr(take, name).dtype == np.float32
    assert take.eye.shape == (frames, 3) and take.look.shape == (frames, 3, 3)
    identity = np.einsum("fij,fkj->fik", take.look, take.look)
    assert np.allclose(identity, np.eye(3), atol=1e-5)
    assert act(sample(4, seconds=0.0)).num_frames == 1


def test_what_is_staged_is_what_was_said(takes):
    for take in takes:
        assert confirm(take) is None
        known = set(map(str, facts(take)))
        touched = {other for _, other in struck(take)}
        for index, thing in enumerate(take.scene.things):
            if index not in touched or thing.action != "rests":
                assert f"action({index}) == {thing.action}" in known
            if thing.direction:
                assert f"direction({index}) == {thing.direction}" in known
            if thing.event:
                assert f"event({index}) == {thing.event}" in known
            if thing.action == "hits":
                assert f"hits({index}, {thing.target}) == True" in known
                assert struck(take)[index, thing.target] > 1
            if thing.action == "stacks":
                assert f"onto({index}, {thing.target}) == True" in known
            if thing.action == "topples":
                assert f"topples({index}) == True" in known
            if thing.action == "falls":
                assert bounces(take, index) >= 0.08
            if thing.action == "rests" and index not in touched and thing.kind in THINGS:
                assert np.abs(path(take, index) - path(take, index)[0]).max() < 0.05


@pytest.mark.parametrize("story", STORIES)
def test_every_story_comes_out(story):
    take = stage_scene(11, story=story)
    assert confirm(take) is None
    subject = take.scene.things[0].action
    assert subject in STORIES[story].manners[take.scene.things[0].kind] or subject == "hits"


def test_all_is_in_view(takes):
    for take in takes:
        touched = {other for _, other in struck(take)}
        for index in range(len(take.scene.things)):
            if index not in touched:
                assert np.abs(record.filled(take, index)).max() <= 1.0


def test_a_smaller_world_is_staged_too():
    words = {"ball", "cube", "red", "blue", "meadow", "noon", "rests", "rolls", "hits", "1", "2"}
    for seed in range(6):
        scene = stage_scene(seed, within=words).scene
        assert {thing.kind for thing in scene.things} <= {"ball", "cube"}
        assert {thing.action for thing in scene.things} <= {"rests", "rolls", "hits"}
    with pytest.raises(SceneError, match="words"):
        stage_scene(0, within={"fish", "meadow"})


def test_shots_are_staged_each_by_itself():
    found = [stage_shots(seed, seconds=5.0) for seed in range(3)]
    assert max(map(len, found)) > 1
    for shots in found:
        assert sum(take.num_frames for take in shots) == 5 * FPS
        assert all(confirm(take) is None for take in shots)


def test_nothing_goes_through_the_floor(takes):
    lows = [lowest(take, _things(take)) for take in takes if len(_things(take))]
    assert len(lows) > 20 and min(lows) > -0.05


def test_nothing_moves_before_it_is_touched(takes):
    hits = [(take, hit) for take in takes for hit in struck(take).items()]
    assert len(hits) >= 4
    for take, ((_, other), frame) in hits:
        where = path(take, other)
        assert np.abs(where[:frame] - where[0]).max() < 0.03
        assert np.linalg.norm(where[-1] - where[0]) > 0.1


def test_longer_clips_are_staged_too():
    for seconds in (4.0, 8.0):
        take = stage_scene(5, seconds=seconds)
        assert take.num_frames == seconds * FPS
        assert confirm(take) is None


def test_a_twin_is_the_exact_mirror_image(takes):
    for take in takes[:12]:
        twin = act(mirror(take.scene))
        assert twin.scene == mirror(take.scene)
        back = reflect(twin)
        for name in ("position", "rotation", "velocity", "centre", "facing", "eye", "look"):
            assert np.array_equal(getattr(back, name), getattr(take, name)), name
        assert np.array_equal(twin.position[..., 0], -take.position[..., 0])
        # The twin's own camera path is the mirrored one, not only the reflected record of it.
        eye, look = poses(mirror(take.scene).camera, take.num_frames, follow=path(twin, 0))
        assert np.allclose(eye, twin.eye, atol=1e-5) and np.allclose(look, twin.look, atol=1e-5)


def test_a_mirrored_start_simulates_to_the_mirrored_end():
    # Spins, turns, events and keys are reflected properly: what is played agrees by itself, up to
    # its own rounding.
    scenes = [
        sample(seed, story=s) for s in ("travels", "tips", "goes", "together") for seed in SIX
    ]
    walks = next(s for s in scenes if s.things[0].action == "walks")
    scenes.append(dataclasses.replace(walks, keys=("left", "left", "forward", "right", "right")))
    for scene in scenes:
        twin = dataclasses.replace(mirror(scene), mirrored=False)
        one, other = act(scene), act(twin)
        assert np.allclose(path(other, 0) * (-1, 1, 1), path(one, 0), atol=0.05)
        assert np.allclose(other.facing[:, 0] * (-1, 1), one.facing[:, 0], atol=0.05)


def test_a_ring_is_one_body_whose_parts_turn_with_it():
    standing = (math.cos(math.pi / 4), math.sin(math.pi / 4), 0.0, 0.0)
    rolling = dict(velocity=(1.2, 0.0, 0.0), spin=(0.0, 3.0, 0.0), action="rolls")
    place = dict(extent=(0.4, 0.4, 0.09), position=(0.0, 0.0, 0.4), rotation=standing)
    take = act(_ball(kind="ring", **place, **rolling))
    where = take.position.astype(np.float64)
    apart = np.linalg.norm(where[:, :, None] - where[:, None], axis=-1)
    assert len(take.owner) == 14 and np.allclose(apart, apart[0], atol=1e-5)
    # Each part's velocity is its own: what it was about to travel in a frame.
    went = (where[2:] - where[:-2]) / 2 * FPS
    assert np.allclose(went, take.velocity[1:-1], atol=0.15)
    assert take.velocity[3].max() > 2.0 > 1.3 > path(take, 0)[3, 0]  # the top goes twice as fast


def test_every_aspect_sees_the_same_width():
    wide, square, tall = (
        field_of_view(40.0, size) for size in ((256, 144), (192, 192), (144, 256))
    )
    assert wide == pytest.approx(40.0)
    halves = [np.tan(np.radians(fov) / 2) for fov in (wide, square, tall)]
    assert np.allclose(np.array(halves) * (16 / 9, 1.0, 9 / 16), halves[1])


@pytest.mark.parametrize(
    ("move", "axis", "sign"),
    [("dolly_in", 1, 1), ("dolly_out", 1, -1), ("orbit_left", 0, -1), ("orbit_right", 0, 1)],
)
def test_a_camera_travels_where_its_name_says(move, axis, sign):
    eye, _ = poses(Camera(move=move, eye=(0, -4, 1.2), look_at=(0, 0, 0.5), amount=0.5), 5)
    assert sign * (eye[-1] - eye[0])[axis] > 0.3


def test_a_pan_turns_where_its_name_says():
    for move, sign in (("pan_left", -1), ("pan_right", 1)):
        eye, look = poses(Camera(move=move, eye=(0, -4, 1), look_at=(0, 0, 0.5), amount=0.3), 5)
        assert np.array_equal(eye[0], eye[-1])
        assert sign * look[-1, 2, 0] > 0.2
