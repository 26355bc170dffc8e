"""Laws of the flow: one formula for noising, one for moving, one for the loss, and the levels."""

import pytest
import torch

from worldreel import flow
from worldreel.errors import RequestError

SHAPE = (2, 3, 4, 2, 2)  # B C T H W


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or SHAPE), generator=torch.Generator().manual_seed(seed))


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.uint8)


@pytest.mark.parametrize("sigma_shape", [(), (4,), (2, 1), (2, 4), (1, 4)])
def test_level_is_sigma_times_freedom_for_each_shape_of_sigma(sigma_shape):
    freedom, sigma = torch.rand(2, 1, 4, 2, 2), torch.rand(sigma_shape)
    rows = sigma.expand(2, 4) if sigma.ndim != 1 else sigma[None].expand(2, 4)
    expected = torch.stack(
        [torch.stack([freedom[b, :, t] * rows[b, t] for t in range(4)], 1) for b in range(2)]
    )
    assert torch.equal(flow.level(sigma, freedom), expected)
    assert flow.level(sigma, freedom.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("sigma_shape", [(2,), (1,), (3, 4), (2, 3), (2, 4, 1)])
def test_level_refuses_what_does_not_fit_and_says_how_to_write_it(sigma_shape):
    with pytest.raises(ValueError, match=r"sigma\[:, None\]"):
        flow.level(torch.rand(sigma_shape), torch.ones(2, 1, 4, 2, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_noised_keeps_what_is_kept_and_lies_on_the_straight_path_elsewhere(dtype):
    known, noise = draw(0).to(dtype), draw(1).to(dtype)
    known[0, 0, 0, 0, 0] = -0.0
    noise[:, :, 0] = torch.inf
    freedom = torch.ones(2, 1, 4, 2, 2)
    freedom[:, :, 0], freedom[:, :, 1] = 0, 0.25
    x = flow.noised(known, freedom, 0.5, noise)
    assert x.dtype == dtype
    assert torch.equal(bits(x[:, :, 0]), bits(known[:, :, 0]))
    expected = 0.875 * known[:, :, 1].double() + 0.125 * noise[:, :, 1].double()
    torch.testing.assert_close(x[:, :, 1].double(), expected, rtol=1e-2, atol=1e-2)
    assert torch.equal(flow.noised(known, freedom, 1.0, noise)[:, :, 2:], noise[:, :, 2:])


def test_a_step_along_the_true_velocity_stays_on_the_path():
    clean, noise = draw(0).double(), draw(1).double()
    freedom = torch.rand(2, 1, 4, 2, 2, dtype=torch.float64)
    s, s_next = flow.level(0.9, freedom), flow.level(0.3, freedom)
    x = flow.step(flow.noised(clean, freedom, 0.9, noise), noise - clean, s, s_next)
    torch.testing.assert_close(x, flow.noised(clean, freedom, 0.3, noise))


def test_a_step_of_no_length_changes_no_bit():
    x, s = torch.tensor([-0.0, 1.0, torch.nan, torch.inf]), torch.tensor([0.0, 0.5, 1.0, 0.0])
    v = torch.tensor([torch.nan, torch.inf, 1.0, -torch.inf])
    assert torch.equal(bits(flow.step(x, v, s, s)), bits(x))


def test_loss_is_the_mean_over_painted_latents_only():
    clean, noise, v = draw(0), draw(1), draw(2)
    level = torch.full((2, 1, 4, 2, 2), 0.5)
    level[:, :, 0] = 0
    expected = (v - (noise - clean))[:, :, 1:].square().mean()
    v[:, :, 0] = torch.nan  # what is predicted for a kept latent is nobody's business
    v.requires_grad_()
    loss = flow.loss(v, clean, noise, level)
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, v)
    assert torch.equal(gradient[:, :, 0], torch.zeros_like(gradient[:, :, 0]))
    assert flow.loss(noise - clean, clean, noise, level) == 0
    assert flow.loss(v, clean, noise, torch.zeros_like(level)) == 0


def test_loss_weighs_clips_and_adds_up_over_parts():
    clean, noise, v, level = draw(0), draw(1), draw(2), torch.ones(2, 1, 4, 2, 2)
    weight = torch.tensor([3.0, 0.5])
    parts = [flow.loss(v[i : i + 1], clean[i : i + 1], noise[i : i + 1], level[:1]) for i in (0, 1)]
    whole = flow.loss(v, clean, noise, level, weight)
    torch.testing.assert_close(whole, (3.0 * parts[0] + 0.5 * parts[1]) / 2)
    torch.testing.assert_close(flow.loss(v, clean, noise, level, torch.ones(2)), sum(parts) / 2)
    places = torch.zeros_like(level)
    places[0, 0, 1] = 2.0
    expected = 2 * (v - (noise - clean))[0, :, 1].square().sum() / v.numel()
    torch.testing.assert_close(flow.loss(v, clean, noise, level, places), expected)


def test_loss_of_bf16_is_computed_in_fp32():
    clean, noise, v = (draw(i).bfloat16() for i in range(3))
    loss = flow.loss(v, clean, noise, torch.ones(2, 1, 4, 2, 2))
    assert loss.dtype == torch.float32
    expected = (v.double() - noise.double() + clean.double()).square().mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("shift", [1e-12, 0.1, 1 / 3, 1.0, 3.0, 7.1])
@pytest.mark.parametrize("num_steps", [1, 2, 7, 50])
def test_a_schedule_falls_from_exactly_one_to_exactly_zero(num_steps, shift):
    sigmas = flow.schedule(num_steps, shift=shift)
    assert sigmas.shape == (num_steps + 1,)
    assert sigmas[0] == 1 and sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()


def test_shift_moves_levels_by_the_ratio_of_noise_to_signal():
    sigma = flow.schedule(8)[1:-1]
    moved = flow.schedule(8, shift=3.0)[1:-1]
    torch.testing.assert_close(moved / (1 - moved), 3 * sigma / (1 - sigma))


@pytest.mark.parametrize("lag", [0, 1, 3, 4, 6])
@pytest.mark.parametrize(("T", "chunk"), [(1, 1), (5, 2), (6, 3), (4, 9)])
def test_every_column_of_a_staggered_schedule_is_the_schedule_delayed(T, chunk, lag):
    sigmas, plain = flow.staggered(4, T, chunk=chunk, lag=lag, shift=2.0), flow.schedule(4, shift=2)
    assert (sigmas[0] == 1).all() and (sigmas[-1] == 0).all()
    assert (sigmas.diff(dim=0) <= 0).all()
    assert (sigmas.diff(dim=0) < 0).any(dim=1).all() or lag > 4
    for t in range(T):
        start = lag * (t // chunk)
        assert torch.equal(sigmas[start : start + 5, t], plain)
    if lag == 0:
        assert torch.equal(sigmas, plain[:, None].expand(5, T))


def test_drawn_levels_are_logit_normal_and_the_seed_decides_them():
    def levels(**options):
        return flow.draw_levels(4000, generator=torch.Generator().manual_seed(3), **options)

    sigma = levels(mean=0.5, std=0.8)
    assert ((sigma > 0) & (sigma <= 1)).all()
    assert abs(torch.logit(sigma).mean() - 0.5) < 0.05
    assert abs(torch.logit(sigma).std() - 0.8) < 0.05
    assert torch.equal(bits(sigma), bits(levels(mean=0.5, std=0.8)))
    assert levels(shift=3.0).mean() > levels().mean()
    extreme = torch.cat([levels(mean=-300.0), levels(mean=300.0)])
    assert ((extreme > 0) & (extreme <= 1)).all()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: flow.schedule(0),
        lambda: flow.schedule(4, shift=0),
        lambda: flow.staggered(4, 0, chunk=1, lag=1),
        lambda: flow.staggered(4, 3, chunk=0, lag=1),
        lambda: flow.staggered(4, 3, chunk=1, lag=-1),
    ],
)
def test_impossible_schedules_are_refused(ask):
    with pytest.raises(RequestError):
        ask()
