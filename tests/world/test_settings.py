"""Laws of the settings: a ground at z = 0, motion without flicker, lights that keep their word."""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from worldreel.world import lights
from worldreel.world.camera import poses
from worldreel.world.render import render
from worldreel.world.scene import COLORS, LIGHTS, SHAPES, Camera, Scene, Take, Thing
from worldreel.world.scene import SETTINGS as WORDS
from worldreel.world.settings import SETTINGS, SKY
from worldreel.world.settings.coast import SHORE

EYE = (0.2, -3.8, 1.2)
MOVING = {"sandy coast", "coral reef", "space station"}
CASES = [(name, light) for name, setting in SETTINGS.items() for light in setting.lights]


def _scene(setting, light="noon", seed=3, color="red", x=0.0) -> Scene:
    ball = Thing(
        kind="ball",
        color=color,
        size="medium",
        material="matte",
        extent=(0.3, 0.3, 0.3),
        position=(x, 0.0, 0.3),
    )
    camera = Camera(move="static", eye=EYE, look_at=(0.0, 0.0, 0.5))
    return Scene(seed=seed, setting=setting, light=light, things=(ball,), camera=camera)


def _air(setting, light="noon", seconds=(0.0,), seed=3):
    row = SETTINGS[setting].lights[light]
    packed = lights.pack(_scene(setting, light, seed), row, 0.005, np.array(seconds))
    return lights.unpack(torch.from_numpy(packed)[..., None])


def _picture(setting, light="noon", seconds=(0.0,), size=(64, 36)):
    """What a camera's rays see: the surface and the rays, (frames, pixels)."""
    width, height = size
    _, look = poses(_scene(setting).camera, 1)
    u, v = np.meshgrid(np.linspace(-0.64, 0.64, width), np.linspace(0.36, -0.36, height))
    ahead = u[..., None] * look[0, 0] + v[..., None] * look[0, 1] + look[0, 2]
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    flat = torch.from_numpy(ahead.reshape(-1, 3).T.astype(np.float32))
    direction = tuple(plane.expand(len(seconds), -1) for plane in flat)
    origin = tuple(torch.full((len(seconds), 1), value) for value in EYE)
    return SETTINGS[setting].draw(origin, direction, _air(setting, light, seconds)), direction


def _shown(surface) -> torch.Tensor:
    """Colour and glow as numbers, (3, frames, pixels)."""
    planes = [c + g for c, g in zip(surface.color, surface.glow, strict=True)]
    return torch.stack(torch.broadcast_tensors(*planes, surface.t)[:3])


def _take(scene: Scene) -> Take:
    (ball,) = scene.things
    eye, look = poses(scene.camera, 1)
    return Take(
        scene=scene,
        fps=12,
        shape=np.array([SHAPES.index("sphere")]),
        extent=np.array([ball.extent], np.float32),
        color=np.array([COLORS[ball.color]], np.float32),
        gloss=np.array([0.3], np.float32),
        owner=np.array([1]),
        position=np.array([[ball.position]], np.float32),
        rotation=np.eye(3, dtype=np.float32)[None, None],
        velocity=np.zeros((1, 1, 3), np.float32),
        centre=np.array([[ball.position]], np.float32),
        facing=np.zeros((1, 1, 2), np.float32),
        eye=eye.astype(np.float32),
        look=look.astype(np.float32),
        fov=40.0,
        contacts=(),
    )


def test_every_word_is_drawn_and_lit():
    assert set(SETTINGS) == set(WORDS)
    for name, setting in SETTINGS.items():
        assert {"noon", "night"} <= set(setting.lights) <= set(LIGHTS), name
    assert all(set(SETTINGS[name].lights) == set(LIGHTS) for name in set(WORDS) - {"space station"})


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_ground_is_where_things_stand(setting):
    """Rays to points at z = 0, in front of all that stands on the ground, end there."""
    x, y = torch.meshgrid(torch.linspace(-2, 2, 9), torch.linspace(-1.5, 2.2, 9), indexing="ij")
    away = torch.stack([x.flatten() - EYE[0], y.flatten() - EYE[1], torch.full((81,), -EYE[2])])
    reach = away.norm(dim=0)
    direction = tuple((away / reach)[:, None])
    surface = SETTINGS[setting].draw(
        tuple(torch.full((1, 1), value) for value in EYE), direction, _air(setting)
    )
    torch.testing.assert_close(surface.t[0], reach, rtol=1e-4, atol=1e-4)
    assert (torch.stack(torch.broadcast_tensors(*surface.normal, surface.t)[:3])[2] > 0.9).all()


@pytest.mark.parametrize(("setting", "light"), CASES)
def test_a_surface_is_made_of_sound_numbers(setting, light):
    """Also straight up, down and along the axes, where a division by zero would lie in wait."""
    axes = tuple(torch.cat([torch.eye(3), -torch.eye(3)]).T[:, None])
    eye = tuple(torch.full((1, 1), value) for value in EYE)
    along = SETTINGS[setting].draw(eye, axes, _air(setting, light))
    for surface in (along, _picture(setting, light)[0]):
        assert (surface.t > 0).all() and not surface.t.isnan().any()
        shown = _shown(surface)
        assert shown.isfinite().all() and (shown >= 0).all() and shown.max() < 4
        assert ((surface.wet >= 0) & (surface.wet <= 1)).all()
        sky = surface.t >= SKY
        assert (torch.stack(torch.broadcast_tensors(*surface.color))[:, sky] == 0).all()
        normal = torch.stack(torch.broadcast_tensors(*surface.normal, surface.t)[:3])
        assert normal.isfinite().all()
    torch.testing.assert_close(normal.norm(dim=0), torch.ones_like(surface.t))


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_step_depends_on_what_is_computed(setting):
    """Shapes and branches are the same for all numbers, so that a setting can be compiled."""
    real = _air(setting)
    with FakeTensorMode(allow_non_fake_inputs=True):
        rays = tuple(torch.empty(1, 16) for _ in range(3))
        eye = tuple(torch.empty(1, 1) for _ in range(3))
        assert SETTINGS[setting].draw(eye, rays, real).t.shape == (1, 16)


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_moves_moves_without_flicker(setting):
    """Half the time, about half the change: noise drawn anew would change as much."""
    surface, _ = _picture(setting, seconds=(1.0, 1.0 + 1 / 24, 1.0 + 1 / 12, 2.0))
    now, soon, later, last = _shown(surface).unbind(1)
    change = (last - now).abs().mean()
    assert (change > 1e-3) == (setting in MOVING)
    if setting in MOVING:
        step = (later - now).abs().mean()
        assert (soon - now).abs().mean() < 0.75 * step
        assert step < 0.6 * change


def test_the_sea_moves_and_the_sand_does_not():
    surface, direction = _picture("sandy coast", seconds=(0.0, 0.5))
    y = (EYE[1] + surface.t * direction[1])[0]
    changed = (_shown(surface)[:, 0] - _shown(surface)[:, 1]).abs().amax(0) > 0.01
    ground = surface.t[0] < SKY
    assert not changed[ground & (y < SHORE - 0.8)].any()
    assert changed[ground & (y > SHORE + 0.6) & (y < SHORE + 8)].float().mean() > 0.5


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "space station"])
def test_lights_keep_their_word(setting):
    noon, sunset, night, overcast = (SETTINGS[setting].lights[word] for word in LIGHTS)
    assert sum(night.zenith) < 0.5 * sum(noon.zenith) and sum(night.sun) < sum(noon.sun)
    assert sunset.height < noon.height and sunset.sun[0] / sunset.sun[2] > 1.3 * (
        noon.sun[0] / noon.sun[2]
    )
    assert overcast.soft > noon.soft and sum(overcast.sun) < 0.7 * sum(noon.sun)


@pytest.mark.parametrize(("setting", "light"), CASES)
def test_a_colour_stands_out(setting, light):
    """A ball's mean colour differs from nearly all that is drawn around it."""
    names = ("red", "orange", "yellow", "cyan", "blue", "purple", "pink")  # green is the meadow's
    takes = [_take(_scene(setting, light, color=name)) for name in names]
    for name, made in zip(names, render(takes, size=(64, 36), truth=True), strict=True):
        picture, ball = made.frames[0] / 255, made.ids[0] == 1
        rows, columns = np.nonzero(ball)
        near = np.zeros_like(ball)
        near[rows.min() - 4 : rows.max() + 5, columns.min() - 5 : columns.max() + 6] = True
        away = np.linalg.norm(picture[near & ~ball] - picture[ball].mean(0), axis=1)
        assert np.percentile(away, 15) > 0.15, name


@pytest.mark.parametrize("light", LIGHTS)
def test_settings_are_told_apart_by_a_thumbnail(light):
    known = [name for name, setting in SETTINGS.items() if light in setting.lights]
    made = render([_take(_scene(name, light, x=60.0)) for name in known], size=(16, 9))
    for i, a in enumerate(made):
        for j, b in enumerate(made[:i]):
            apart = np.abs(a.frames / 255 - b.frames / 255).mean()
            assert apart > 0.05, (known[i], known[j])
