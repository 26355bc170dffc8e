"""Laws of the solids: each shape is what its name says, against a reference in float64."""

import numpy as np
import pytest
import torch

from worldreel.world import solids
from worldreel.world.scene import SHAPES, Camera, Scene, Take, Thing

# How far outside a point (..., 3) in own scaled axes is, as the words of `scene` define a shape.
_ROUND = {
    "ball": lambda x, y, z: np.sqrt(x * x + y * y + z * z) - 1,
    "tube": lambda x, y, z: np.hypot(x, y) - 1,
    "tip": lambda x, y, z: np.hypot(x, y) - (1 - z) / 2,
    "cut tip": lambda x, y, z: np.hypot(x, y) - (1 - (z + 1) / 4),
    "half ball": lambda x, y, z: np.sqrt(x * x + y * y + ((z + 1) / 2) ** 2) - 1,
    "column": lambda x, y, z: np.maximum(np.abs(x), np.abs(y)) - 1,
}
_SIDE = {
    "sphere": "ball", "ellipsoid": "ball", "cylinder": "tube", "tube": "tube", "cone": "tip",
    "spike": "tip", "frustum": "cut tip", "dome": "half ball", "box": "column", "block": "column",
}  # fmt: skip


def _faces(shape, point):
    """(2, ...): outside the side, and beyond the caps; a point is inside where both are below 0."""
    x, y, z = np.moveaxis(point, -1, 0)
    return np.stack([_ROUND[_SIDE[shape]](x, y, z), np.abs(z) - 1])


def _turn(rng) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def _take(shape, extent, position, rotation, kind="ball") -> Take:
    thing = Thing(
        kind=kind, color="red", size="medium", material="matte", extent=extent, position=position
    )
    camera = Camera(move="static", eye=(0, -3, 1), look_at=(0, 0, 0))
    return Take(
        scene=Scene(seed=1, setting="meadow", light="noon", things=(thing,), camera=camera),
        fps=12,
        shape=np.array([SHAPES.index(shape)]),
        extent=np.array([extent], np.float32),
        color=np.array([[0.8, 0.1, 0.1]], np.float32),
        gloss=np.zeros(1, np.float32),
        owner=np.ones(1, np.int64),
        position=np.array([[position]], np.float32),
        rotation=rotation[None, None].astype(np.float32),
        velocity=np.zeros((1, 1, 3), np.float32),
        centre=np.array([[position]], np.float32),
        facing=np.zeros((1, 1, 2), np.float32),
        eye=np.zeros((1, 3), np.float32),
        look=np.eye(3, dtype=np.float32)[None],
        fov=40.0,
        contacts=(),
    )


def _planes(vectors) -> tuple[torch.Tensor, ...]:
    """(P, 3) -> three of (1, P)."""
    return tuple(torch.from_numpy(vectors.T.astype(np.float32).copy())[:, None])


def _body(rng, shape):
    """A body anywhere, as numbers (1, WIDTH), and what takes the world to its own axes."""
    extent, position, rotation = rng.uniform(0.1, 0.6, 3), rng.normal(size=3), _turn(rng)
    take = _take(shape, tuple(extent), tuple(position), rotation)
    numbers = torch.from_numpy(solids.pack(take))[0]
    return numbers, lambda points: (points - position) @ rotation / extent, rotation / extent


def _rays(rng, position, count=600):
    """Origins on a ball of 4 m round a body and directions to near it, (P, 3) each."""
    origin = rng.normal(size=(count, 3))
    origin = position + 4 * origin / np.linalg.norm(origin, axis=1, keepdims=True)
    way = position + rng.normal(size=(count, 3)) * 0.3 - origin
    return origin, way / np.linalg.norm(way, axis=1, keepdims=True)


def test_every_shape_has_a_solid():
    assert set(solids.SOLIDS) == set(SHAPES) == set(_SIDE)


@pytest.mark.parametrize("shape", SHAPES)
def test_rays_enter_where_the_shape_begins(shape):
    rng = np.random.default_rng(SHAPES.index(shape))
    numbers, own, axes = _body(rng, shape)
    origin, way = _rays(rng, numbers[0, :3].numpy().astype(np.float64))

    steps = np.linspace(2.0, 6.0, 2001)
    along = origin[:, None] + way[:, None] * steps[:, None]
    inside = (_faces(shape, own(along)) < 0).all(0)
    hit, at = inside.any(1), inside.argmax(1)
    low, high = steps[np.maximum(at - 1, 0)], steps[at]
    for _ in range(40):
        middle = (low + high) / 2
        within = (_faces(shape, own(origin + way * middle[:, None])) < 0).all(0)
        low, high = np.where(within, low, middle), np.where(within, middle, high)

    found = solids.meet(_planes(origin), _planes(way), numbers)[0].numpy()
    graze = hit & (inside.sum(1) < 3)  # a step may miss what a ray just grazes
    graze |= ~hit & (found < solids.FAR) & (_faces(shape, own(along)).max(0).min(1) < 0.02)
    assert ((found < solids.FAR) == hit)[~graze].all()
    sure = hit & ~graze
    assert sure.sum() > 80
    assert np.abs(found - high)[sure].max() < 2e-4

    point = origin[sure] + way[sure] * high[sure, None]
    outward = np.empty((2, sure.sum(), 3))
    for axis, step in enumerate(np.eye(3) * 1e-5):
        outward[..., axis] = _faces(shape, own(point) + step) - _faces(shape, own(point) - step)
    face = np.abs(_faces(shape, own(point))).argmin(0)
    normal = outward[face, np.arange(len(face))] @ axes.T
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    paint = solids.paint(_planes(origin[sure]), _planes(way[sure]), numbers)
    made = torch.stack(paint.normal)[:, 0].T.numpy().astype(np.float64)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    rim = np.abs(_faces(shape, own(point))).max(0) < 0.02  # at an edge either face will do
    if _SIDE[shape] == "column":
        x, y, _ = np.abs(own(point)).T
        rim |= np.abs(x - y) < 0.02
    assert (normal * made).sum(1)[~rim].min() > 0.999


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ball_holds_each_shape(shape):
    rng = np.random.default_rng(7)
    numbers, own, _ = _body(rng, shape)
    centre, radius = numbers[0, :3].numpy(), float(numbers[0, solids.AROUND])
    near = centre + rng.uniform(-1.2, 1.2, (200_000, 3))
    inside = (_faces(shape, own(near)) < 0).all(0)
    far = np.linalg.norm(near - centre, axis=1)
    assert inside.sum() > 100
    assert far[inside].max() < radius + 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shadow_is_cast_by_what_the_sun_meets(shape):
    rng = np.random.default_rng(9)
    numbers, _, _ = _body(rng, shape)
    point, way = _rays(rng, numbers[0, :3].numpy().astype(np.float64))
    normal, soft = _planes(way), torch.tensor([[0.02]])
    hidden = solids.shadow(_planes(point), normal, _planes(way), soft, numbers)
    meets = solids.meet(_planes(point), _planes(way), numbers) < solids.FAR
    assert ((hidden > 0) == meets).all() and (hidden <= 1).all()
    assert (hidden == 1).sum() > 20
    assert (solids.shadow(_planes(point), normal, _planes(-way), soft, numbers) == 0).all()


def test_cover_ends_where_it_says():
    numbers, _, _ = _body(np.random.default_rng(2), "ellipsoid")
    centre, radius = numbers[0, :3].numpy(), float(numbers[0, solids.RADIUS])
    share = np.linspace(0.9, 1.1 * solids.COVER, 60)
    ground = centre - np.outer(share * radius, (0, 0, 1))
    up = np.tile((0.0, 0.0, 1.0), (60, 1))
    cover = solids.cover(_planes(ground), _planes(up), numbers)[0].numpy()
    assert (cover[share > solids.COVER + 1e-3] == 0).all()
    assert (np.diff(cover[share < solids.COVER - 1e-3]) < 0).all() and cover[0] > 0.5


def test_no_ray_meets_a_spare_body():
    numbers = torch.from_numpy(solids.null_body(1))[0]
    origin, way = _rays(np.random.default_rng(4), np.zeros(3))
    assert (solids.meet(_planes(origin), _planes(way), numbers) == solids.FAR).all()
