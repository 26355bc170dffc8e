"""Laws of procedural texture: noise is its cells' numbers, smoothly between them, every time."""

import torch

from worldreel.world.texture import noise, scatter

SEED = torch.tensor([[0.13], [0.77]])  # one for each of two frames


def _plane(low: float, high: float) -> torch.Tensor:
    return torch.empty(2, 4096).uniform_(low, high, generator=torch.Generator().manual_seed(1))


def test_noise_is_at_each_corner_what_its_cell_is_and_between_them_otherwise():
    x, y = _plane(-40, 40), _plane(-9, 9).flip(1)
    left, low = x.floor(), y.floor()
    assert torch.equal(noise(left, low, SEED), scatter(left, low, SEED))
    u, v = x - left, y - low
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    rows = [
        torch.lerp(scatter(left, low + k, SEED), scatter(left + 1, low + k, SEED), u)
        for k in (0, 1)
    ]
    assert torch.equal(noise(x, y, SEED), torch.lerp(*rows, v))


def test_noise_writes_over_nothing_that_it_was_given():
    x, y = _plane(-3, 3), _plane(-3, 3)
    kept = x.clone(), y.clone(), SEED.clone()
    once = noise(x, y, SEED)
    assert torch.equal(x, kept[0]) and torch.equal(y, kept[1]) and torch.equal(SEED, kept[2])
    assert torch.equal(noise(x, y, SEED), once)


def test_cells_are_as_good_as_chance():
    x, y = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
    value = scatter(x, y, 0.4).flatten()
    assert 0 <= value.min() and value.max() < 1
    share = torch.histc(value, 10, 0, 1) / len(value)
    assert (share - 0.1).abs().max() < 0.01
    beside = torch.corrcoef(torch.stack([value[:-1], value[1:]]))[0, 1]
    assert beside.abs() < 0.03
