"""Laws of physics and of the record: gravity, the floor, mirror images, what was said happens."""

import dataclasses

import numpy as np
import pytest

from worldreel.world.act import act, reflect, stage_scene
from worldreel.world.camera import field_of_view, poses
from worldreel.world.facts import bounces, confirm, facts, lowest, path, struck
from worldreel.world.sample import sample
from worldreel.world.scene import FPS, Camera, Scene, Thing, mirror

SEEDS = range(70)


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


def test_free_fall_is_gravity():
    scene = _ball(position=(0.0, 0.0, 6.0), action="falls")
    take = act(scene)
    time = np.arange(take.num_frames) / FPS
    falling = time < 1.0
    height = path(take, 0)[falling, 2]
    measured = -2 * np.polyfit(time[falling], height, 2)[0]
    assert measured == pytest.approx(scene.gravity, rel=0.01)
    fallen = 6.0 - height[-1]
    assert fallen == pytest.approx(scene.gravity * time[falling][-1] ** 2 / 2, rel=0.01)


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
    assert frames == 24 and count == len(take.scene.things)
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
        for index, thing in enumerate(take.scene.things):
            if thing.direction:
                assert f"direction({index}) == {thing.direction}" in known
            if thing.action == "hits":
                assert f"hits({index}, {thing.target}) == True" in known
                assert struck(take)[index, thing.target] > 1
            if thing.action == "falls":
                assert bounces(take, index) >= 0.08
            if thing.action == "rests" and len(struck(take)) == 0:
                assert np.abs(path(take, index) - path(take, index)[0]).max() < 0.05


def test_nothing_goes_through_the_floor(takes):
    assert min(lowest(take) for take in takes) > -0.04


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
        for name in ("position", "rotation", "velocity", "eye", "look"):
            assert np.array_equal(getattr(back, name), getattr(take, name)), name
        assert np.array_equal(twin.position[..., 0], -take.position[..., 0])
        # The twin's own camera path is the mirrored one, not only the reflected record of it.
        eye, look = poses(mirror(take.scene).camera, take.num_frames)
        assert np.allclose(eye, twin.eye, atol=1e-5) and np.allclose(look, twin.look, atol=1e-5)


def test_a_mirrored_start_simulates_to_the_mirrored_end():
    # Spins and turns are reflected properly: physics itself agrees, up to its own rounding.
    for seed in range(30):
        scene = sample(seed)
        if scene.things[0].action in ("falls", "rests", "hits"):
            continue
        twin = dataclasses.replace(mirror(scene), mirrored=False)
        mirrored = path(act(twin), 0) * (-1, 1, 1)
        assert np.allclose(mirrored, path(act(scene), 0), atol=0.05)


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
