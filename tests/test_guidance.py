"""Laws of guidance: the formula, who is called when, and that one call equals two."""

import pytest
import torch

from worldreel import flow
from worldreel.errors import RequestError
from worldreel.guidance import cfg, joint
from worldreel.samplers import State, euler, run

X = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))


class Branch:
    """A velocity that remembers the sigmas of its calls."""

    def __init__(self, slope: float):
        self.slope, self.calls = slope, []

    def __call__(self, x, sigma, target):
        self.calls.append(sigma)
        return torch.sin(self.slope * x) + flow.level(sigma - target, torch.ones_like(x[:, :1]))


class Both(Branch):
    """Two branches in one call, stacked along the batch."""

    def __call__(self, x, sigma, target):
        assert len(x) == 4 and torch.equal(x[:2], x[2:])
        self.calls.append(sigma)
        return torch.cat([Branch(2)(x[:2], sigma, target), Branch(3)(x[2:], sigma, target)])


def at(*sigma: float) -> torch.Tensor:
    return torch.tensor(sigma[0] if len(sigma) == 1 else sigma)


def test_guidance_is_its_formula():
    v_c, v_u = Branch(2)(X, at(0.5), at(0.25)), Branch(3)(X, at(0.5), at(0.25))
    v = cfg(Branch(2), Branch(3), 4.0)(X, at(0.5), at(0.25))
    assert torch.equal(v, v_u + 4.0 * (v_c - v_u))
    assert torch.equal(cfg(Branch(2), Branch(3), 0.0)(X, at(0.5), at(0.25)), v_u)


def test_scale_one_is_the_conditional_alone():
    conditional = Branch(2)
    assert cfg(conditional, Branch(3), 1.0) is conditional
    assert joint(conditional, Both(0), 1) is conditional


@pytest.mark.parametrize("sigma", [0.0, 0.19, 0.2, 0.5, 0.8, 0.81, 1.0])
@pytest.mark.parametrize("form", ["cfg", "joint"])
def test_outside_the_interval_only_the_conditional_is_called(form, sigma):
    conditional, other = Branch(2), Branch(3) if form == "cfg" else Both(0)
    guide = cfg if form == "cfg" else joint
    # 0.2 and 0.8 as the schedule has them, in fp32
    low, high = at(0.2).item(), at(0.8).item()
    v = guide(conditional, other, 4.0, interval=(low, high))(X, at(sigma), at(0.0))
    inside = 0.2 <= sigma <= 0.8
    assert len(other.calls) == inside
    assert torch.equal(v, Branch(2)(X, at(sigma), at(0.0))) != inside


def test_on_a_schedule_with_a_time_axis_each_latent_has_its_own_interval():
    sigma = at(0.1, 0.4, 0.6, 0.9)
    v = cfg(Branch(2), Branch(3), 4.0, interval=(0.3, 0.7))(X, sigma, sigma)
    everywhere = cfg(Branch(2), Branch(3), 4.0)(X, sigma, sigma)
    alone = Branch(2)(X, sigma, sigma)
    assert torch.equal(v[:, :, 1:3], everywhere[:, :, 1:3])
    assert torch.equal(v[:, :, [0, 3]], alone[:, :, [0, 3]])


@pytest.mark.parametrize("options", [{}, {"interval": (0.3, 0.7)}, {"rescale": 0.5}])
def test_one_call_on_both_branches_equals_two_calls(options):
    for sigma in (at(0.5), at(0.2, 0.4, 0.6, 1.0)):
        apart = cfg(Branch(2), Branch(3), 4.0, **options)(X, sigma, sigma)
        together = joint(Branch(2), Both(0), 4.0, **options)(X, sigma, sigma)
        torch.testing.assert_close(together, apart)


def test_rescale_gives_back_the_spread_of_the_conditional():
    def spread(v):
        return v.flatten(1).std(dim=1, correction=0)

    alone = spread(Branch(2)(X, at(0.5), at(0.5)))
    wide = spread(cfg(Branch(2), Branch(3), 4.0)(X, at(0.5), at(0.5)))
    same = spread(cfg(Branch(2), Branch(3), 4.0, rescale=1.0)(X, at(0.5), at(0.5)))
    half = spread(cfg(Branch(2), Branch(3), 4.0, rescale=0.5)(X, at(0.5), at(0.5)))
    assert (wide > alone).all()
    torch.testing.assert_close(same, alone)
    torch.testing.assert_close(half, (alone + wide) / 2)


def test_what_is_kept_has_no_part_in_the_spread():
    freedom = torch.ones(2, 1, 4, 2, 2)
    freedom[:, :, 0] = 0

    def poisoned(branch):
        return lambda *a: torch.where(freedom == 0, torch.nan, branch(*a))

    guided = cfg(poisoned(Branch(2)), poisoned(Branch(3)), 4.0, rescale=1.0, freedom=freedom)
    clean = cfg(
        lambda x, *a: Branch(2)(x[:, :, 1:], *a),
        lambda x, *a: Branch(3)(x[:, :, 1:], *a),
        4.0,
        rescale=1.0,
    )
    v = guided(X, at(0.5), at(0.5))[:, :, 1:]
    torch.testing.assert_close(v, clean(X, at(0.5), at(0.5)))


def test_a_sampler_does_not_know_that_it_is_guided():
    guided = cfg(Branch(2), Branch(3), 3.0, interval=(0.2, 0.9))
    sigmas = flow.staggered(4, 4, chunk=2, lag=2)
    x = run(euler(guided, State(X), sigmas, torch.ones(2, 1, 4, 2, 2)))
    assert x.shape == X.shape and x.isfinite().all()


@pytest.mark.parametrize(
    "options",
    [{"interval": (0.8, 0.2)}, {"interval": (-0.1, 1)}, {"interval": (0, 2)}, {"rescale": 1.5}],
)
def test_impossible_guidance_is_refused(options):
    with pytest.raises(RequestError):
        cfg(Branch(2), Branch(3), 4.0, **options)
