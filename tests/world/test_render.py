"""Laws of the picture: exact geometry, exact mirrors, the same bytes alone and in a batch."""

import colorsys
import dataclasses

import numpy as np
import pytest

from worldreel.errors import RequestError, SceneError
from worldreel.world.render import render
from worldreel.world.scene import COLORS, SHAPES, Camera, Scene, Take, Thing
from worldreel.world.settings import SETTINGS

SIZE = (65, 37)  # odd, so that one ray runs along the camera's axis
HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple")  # the others are shades
KINDS = {"sphere": "ball", "box": "cube", "cylinder": "cylinder", "cone": "cone"}


def _look(eye, at) -> np.ndarray:
    forward = np.subtract(at, eye) / np.linalg.norm(np.subtract(at, eye))
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward), forward]).astype(np.float32)


def _turn(angle: float) -> np.ndarray:
    """About the world's z, (3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def _take(
    *things,
    frames=1,
    setting="meadow",
    light="noon",
    weather="clear",
    seed=3,
    eye=(0.0, -3.2, 1.1),
    at=(0.0, 0.0, 0.25),
    travel=(0.0, 0.0, 0.0),
) -> Take:
    """things: dicts with shape, extent, position and, if they move, color, step, turn, gloss.
    travel: the camera's, per frame, with its direction kept."""
    made, time = [], np.arange(frames, dtype=np.float32)
    for thing in things:
        start = np.array(thing["position"], np.float32)
        made.append(start + time[:, None] * np.array(thing.get("step", (0, 0, 0)), np.float32))
    turns = [[_turn(t.get("turn", 0.0) * (f + 1)) for t in things] for f in range(frames)]
    colors = [t.get("color", "red") for t in things]
    scene = Scene(
        seed=seed,
        setting=setting,
        light=light,
        weather=weather,
        camera=Camera(move="static", eye=eye, look_at=at),
        things=tuple(
            Thing(
                kind=KINDS[t["shape"]],
                color=color,
                size="medium",
                material="matte",
                extent=t["extent"],
                position=t["position"],
            )
            for t, color in zip(things, colors, strict=True)
        ),
    )
    path = np.array(eye, np.float32) + time[:, None] * np.array(travel, np.float32)
    return Take(
        scene=scene,
        fps=12,
        shape=np.array([SHAPES.index(t["shape"]) for t in things]),
        extent=np.array([t["extent"] for t in things], np.float32),
        color=np.array([COLORS[c] for c in colors], np.float32),
        gloss=np.array([t.get("gloss", 0.3) for t in things], np.float32),
        owner=np.arange(1, len(things) + 1),
        position=np.stack(made, 1),
        rotation=np.array(turns, np.float32),
        velocity=np.zeros((frames, len(things), 3), np.float32),
        centre=np.stack(made, 1),
        facing=np.zeros((frames, len(things), 2), np.float32),
        eye=path.astype(np.float32),
        look=np.repeat(_look(eye, at)[None], frames, 0),
        fov=40.0,
        contacts=(),
    )


BALL = dict(shape="sphere", extent=(0.3, 0.3, 0.3), position=(-0.5, 0.0, 0.3), turn=0.2)
CUBE = dict(shape="box", extent=(0.25, 0.25, 0.25), position=(0.6, 0.2, 0.25), color="blue")
CONE = dict(shape="cone", extent=(0.2, 0.2, 0.3), position=(0.1, 0.9, 0.3), color="green")


def _draw(take, size=SIZE, **options):
    return render(take, size=size, **options)


def _reflected(take: Take) -> Take:
    sign = np.array([-1, 1, 1], np.float32)
    return dataclasses.replace(
        take,
        scene=dataclasses.replace(take.scene, mirrored=True),
        position=take.position * sign,
        rotation=take.rotation * sign[:, None] * sign,
        eye=take.eye * sign,
        look=take.look * sign * sign[:, None],
    )


def test_same_take_same_bytes():
    take = _take(BALL, CUBE, frames=2, setting="wet street", light="night")
    assert (_draw(take, samples=4).frames == _draw(take, samples=4).frames).all()


def test_a_batch_equals_its_takes_one_by_one():
    takes = [
        _take(BALL, CUBE, CONE, frames=3, seed=1),
        _take(CUBE, frames=7, light="night", seed=2),
        _take(BALL, setting="wooden table", seed=4),
        _take(CONE, CUBE, frames=2, light="sunset", seed=5),
        _take(CUBE, frames=2, weather="rain", seed=6),
        _take(BALL, CUBE, CONE, frames=3, weather="rain", seed=7),
    ]
    together = _draw(takes, samples=4, truth=True)
    for take, made in zip(takes, together, strict=True):
        alone = _draw(take, samples=4, truth=True)
        for name, value in vars(alone).items():
            assert np.array_equal(value, getattr(made, name)), name


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_mirrored_take_is_the_flipped_picture(setting):
    take = _take(
        BALL,
        CUBE,
        frames=2,
        setting=setting,
        eye=(0.4, -3.2, 1.1),
        travel=(0.1, 0.0, 0.0),
    )
    plain = _draw(take, samples=4, truth=True)
    mirrored = _draw(_reflected(take), samples=4, truth=True)
    assert np.array_equal(mirrored.frames, plain.frames[:, :, ::-1])
    assert np.array_equal(mirrored.ids, plain.ids[:, :, ::-1])
    np.testing.assert_allclose(mirrored.flow[..., 0], -plain.flow[:, :, ::-1, 0], atol=1e-4)
    np.testing.assert_allclose(mirrored.normals[..., 0], -plain.normals[:, :, ::-1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "extent", "turn", "front"),
    [
        ("sphere", (0.4, 0.4, 0.4), 0.0, 0.4),
        ("box", (0.3, 0.2, 0.4), 0.0, 0.2),
        ("box", (0.3, 0.3, 0.4), np.pi / 4, 0.3 * 2**0.5),
        ("cylinder", (0.35, 0.35, 0.3), 0.3, 0.35),
        ("cone", (0.4, 0.4, 0.5), 0.3, 0.2),  # half as wide half way up
    ],
)
def test_depth_is_exact(shape, extent, turn, front):
    thing = dict(shape=shape, extent=extent, position=(0.0, 0.0, 0.5), turn=turn)
    made = _draw(_take(thing, eye=(0.0, -3.0, 0.5), at=(0.0, 0.0, 0.5)), truth=True)
    row, column = SIZE[1] // 2, SIZE[0] // 2
    assert made.ids[0, row, column] == 1
    assert made.depth[0, row, column] == pytest.approx(3.0 - front, abs=2e-5)
    normal = made.normals[0, row, column]
    slope = {"cone": 0.4 / np.hypot(0.4, 1.0)}.get(shape, 0.0)
    assert normal[2] == pytest.approx(slope, abs=1e-4)
    assert np.linalg.norm(normal) == pytest.approx(1, abs=1e-5)


def test_depth_of_the_ground_is_exact():
    take = _take(CONE, at=(0.0, -2.0, 0.0))
    made = _draw(take, truth=True)
    row, column = SIZE[1] // 2, SIZE[0] // 2
    assert made.ids[0, row, column] == 0
    assert made.depth[0, row, column] == pytest.approx(np.hypot(1.2, 1.1), abs=1e-4)


def test_ids_cover_the_projected_ball_and_nothing_else():
    take = _take(BALL)
    made = _draw(take, truth=True)
    width, height = SIZE
    rise = np.tan(np.radians(20))
    u = ((np.arange(width) + 0.5) / width * 2 - 1) * rise * width / height
    v = (1 - (np.arange(height) + 0.5) / height * 2) * rise
    view = np.stack(np.broadcast_arrays(u, v[:, None], 1.0), -1) @ take.look[0]
    view /= np.linalg.norm(view, axis=-1, keepdims=True)
    to = take.position[0, 0] - take.eye[0]
    miss = np.linalg.norm(np.cross(view, to), axis=-1)
    sure = np.abs(miss - 0.3) > 1e-4
    assert ((made.ids[0] == 1) == (miss < 0.3))[sure].all()
    assert 20 < (made.ids == 1).sum() < made.ids.size / 3


def test_sky_is_where_depth_is_infinite():
    made = _draw(_take(BALL, at=(0.0, 0.0, 0.9)), truth=True)
    sky = np.isinf(made.depth[0])
    assert sky[0].any() and not sky[-1].any()
    assert (made.normals[0][sky] == 0).all() and (made.ids[0][sky] == 0).all()
    room = _draw(_take(BALL, setting="wooden table", at=(0.0, 0.0, 0.9)), truth=True)
    assert np.isfinite(room.depth).all()


def test_flow_of_a_plain_shift_is_exact():
    box = dict(shape="box", extent=(0.4, 0.2, 0.4), position=(0, 0, 0.5), step=(0.1, 0, 0.05))
    made = _draw(_take(box, frames=2, eye=(0, -3.0, 0.5), at=(0, 0, 0.5)), truth=True)
    front = made.ids[0] == 1
    pixels = SIZE[1] / 2 / np.tan(np.radians(20)) / 2.8  # per metre, on the box's front
    shift = np.array([0.1 * pixels, -0.05 * pixels])
    assert np.abs(made.flow[0][front] - shift).max() < 2e-3
    assert (made.flow[1] == 0).all()
    assert np.abs(made.flow[0][made.ids[0] == 0]).max() < 1e-2


def _inner(mask: np.ndarray) -> np.ndarray:
    """Without its outermost pixels, whose landing place is a matter of rounding."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    return inner


@pytest.mark.parametrize("travel", [(0.0, 0.0, 0.0), (0.12, 0.1, 0.0)])
def test_flow_leads_to_the_same_thing_in_the_next_frame(travel):
    things = [BALL | dict(step=(0.15, -0.1, 0.05)), CUBE | dict(step=(-0.1, 0.0, 0.0), turn=0.2)]
    take = _take(*things, frames=3, travel=travel)
    made = _draw(take, (130, 74), truth=True)
    row, column = np.mgrid[0:74, 0:130]
    for f in range(2):
        x = np.rint(column + made.flow[f, ..., 0]).astype(int)
        y = np.rint(row + made.flow[f, ..., 1]).astype(int)
        inside = (x >= 0) & (x < 130) & (y >= 0) & (y < 74)
        for owner in (1, 2):
            mask = inside & _inner(made.ids[f] == owner)
            assert mask.sum() > 80
            assert (made.ids[f + 1][y[mask], x[mask]] == owner).mean() > 0.99
        ground = inside & (made.ids[f] == 0) & np.isfinite(made.depth[f])
        ground &= made.depth[f] < 6
        assert (made.ids[f + 1][y[ground], x[ground]] == 0).mean() > 0.93


def test_more_samples_change_edges_only_and_make_them_better():
    take = _take(BALL, CUBE, setting="wooden table")
    rough, smooth = (_draw(take, samples=n).frames[0].astype(float) for n in (1, 4))
    fine = _draw(take, (SIZE[0] * 6, SIZE[1] * 6)).frames[0].astype(float)
    fine = fine.reshape(SIZE[1], 6, SIZE[0], 6, 3)
    fine = np.sqrt((fine**2).mean((1, 3)))
    changed = (rough != smooth).any(-1)
    assert 0 < changed.mean() < 0.5
    steps = [np.abs(np.diff(rough, axis=axis)).max(-1) for axis in (0, 1)]
    edge = np.zeros_like(changed)
    edge[1:] |= steps[0] > 12
    edge[:-1] |= steps[0] > 12
    edge[:, 1:] |= steps[1] > 12
    edge[:, :-1] |= steps[1] > 12
    assert not changed[~edge].any()
    assert np.abs(smooth - fine)[edge].mean() < 0.6 * np.abs(rough - fine)[edge].mean()


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_colour_keeps_its_name_in_every_light(setting):
    """The mean of a thing's pixels is nearer in hue to its own colour than to any other."""
    hues = {name: colorsys.rgb_to_hsv(*COLORS[name])[0] for name in HUES}
    cases = [(light, color) for light in SETTINGS[setting].lights for color in HUES]
    takes = [
        _take(BALL | dict(color=color, position=(0, 0, 0.3)), setting=setting, light=light)
        for light, color in cases
    ]
    for (light, color), made in zip(cases, _draw(takes, (48, 27), truth=True), strict=True):
        mean = made.frames[made.ids == 1].mean(0) / 255
        hue, saturation, value = colorsys.rgb_to_hsv(*mean)
        away = {name: abs((hue - h + 0.5) % 1 - 0.5) for name, h in hues.items()}
        assert min(away, key=away.get) == color, (light, color, mean)
        assert saturation > 0.2 and value > 0.22, (light, color, mean)


def test_settings_differ_from_seed_to_seed():
    for setting in SETTINGS:
        a, b = (_draw(_take(CONE, setting=setting, seed=s)).frames for s in (1, 2))
        assert (np.abs(a.astype(int) - b).max(-1) > 8).mean() > 0.05, setting


@pytest.mark.parametrize("size", [(0, 10), (10,), (10.5, 8), 64, (10, 100_000)])
def test_a_size_that_cannot_be_is_said(size):
    with pytest.raises(RequestError, match="size|side"):
        _draw(_take(BALL), size)


def test_samples_and_shapes_that_cannot_be_are_said():
    with pytest.raises(RequestError, match="samples"):
        _draw(_take(BALL), samples=0)
    with pytest.raises(SceneError, match="shape"):
        _draw(dataclasses.replace(_take(BALL), shape=np.array([len(SHAPES)])))
