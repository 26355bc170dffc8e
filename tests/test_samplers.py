"""Laws of the samplers: what is kept stays, the order holds, stopping changes nothing."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worldreel import canvas, flow
from worldreel.noise import fresh
from worldreel.samplers import NAMES, SAMPLERS, State, named, run

ORDER = {"euler": 1, "heun": 2, "ab2": 2, "unipc": 2}
every_sampler = pytest.mark.parametrize("name", NAMES)
without_noise = pytest.mark.parametrize("name", SAMPLERS)  # where all comes from the start


def walker(name: str, x: torch.Tensor):
    """A sampler for latents like these; its new noise is the same in each call."""
    return named(name, fresh(x, range(len(x))))


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.uint8)


def wavy(x, sigma, target):
    """A velocity that bends, and that couples all latents."""
    s = flow.level(sigma, torch.ones_like(x[:, :1]))
    return torch.sin(3 * x) + x.mean(dim=(1, 2), keepdim=True) - s


@every_sampler
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), lag=st.integers(-1, 5), poison=st.sampled_from(["nan", "inf"]))
def test_what_is_kept_is_bit_identical(name, seed, lag, poison):
    draw = torch.Generator().manual_seed(seed)
    shape = (2, 3, 4, 2, 2)
    known, noise = torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)
    known[torch.rand(shape, generator=draw) < 0.2] = -0.0
    kept = torch.rand(2, 1, 4, 2, 2, generator=draw) < 0.4
    strength = 1 - torch.rand(2, 4, generator=draw)  # (0, 1]
    board = canvas.keep(canvas.loosen(known, strength), known, where=kept)
    sigmas = flow.schedule(3) if lag < 0 else flow.staggered(3, 4, chunk=2, lag=lag)

    def poisoned(x, sigma, target):
        return torch.where(board.kept, float(poison), wavy(x, sigma, target))

    start = State(canvas.start(board, noise), 0)
    states = walker(name, noise)(poisoned, start, sigmas, board.freedom)
    still = board.kept.expand(shape)
    for state in states:
        assert torch.equal(bits(state.x[still]), bits(known[still]))
    assert state.x[~still].isfinite().all()


@pytest.mark.parametrize("name", ["euler", "heun", "ab2"])
def test_a_blank_canvas_is_plain_sampling(name):
    noise = torch.randn(1, 2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    board, sigmas = canvas.blank((1, 2, 3, 2, 2)), flow.schedule(5, shift=2.0)
    x, before = noise, None
    for i in range(5):  # the textbook's methods, without canvas or freedom
        h = sigmas[i + 1] - sigmas[i]
        v = mean = wavy(x, sigmas[i], sigmas[i])
        if name == "heun" and i < 4:
            mean = (v + wavy(x + h * v, sigmas[i + 1], sigmas[i + 1])) / 2
        if name == "ab2" and before is not None:
            ratio = h / (sigmas[i] - sigmas[i - 1])
            mean = (1 + ratio / 2) * v - ratio / 2 * before
        x, before = x + h * mean, v
    start = canvas.start(board, noise)
    assert torch.equal(start, noise)
    sampled = run(SAMPLERS[name](wavy, State(start), sigmas, board.freedom))
    torch.testing.assert_close(sampled, x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shift", [1.0, 3.0, 12.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 8, 20])
def test_unipc_on_a_blank_canvas_is_the_scheduler_of_the_public_weights(steps, shift):
    from diffusers import UniPCMultistepScheduler

    peer = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, solver_order=2
    )
    peer.set_timesteps(steps)
    sigmas = flow.schedule(steps, shift=shift, least=1 / 1000)
    torch.testing.assert_close(sigmas, peer.sigmas, rtol=0, atol=2e-6)
    x = noise = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(8))
    for i, t in enumerate(peer.timesteps):
        x = peer.step(wavy(x, peer.sigmas[i], None), t, x, return_dict=False)[0]
    ours = run(SAMPLERS["unipc"](wavy, State(noise), sigmas, torch.ones(2, 1, 4, 2, 2)))
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-4)


def gaussian(mean: torch.Tensor, covariance: torch.Tensor, freedom: torch.Tensor):
    """The exact velocity of a flow from noise to N(mean, covariance), coupled over time (T).

    With x_s = (1 - s) x_0 + s n and a level for each latent, all is jointly normal, and the
    velocity is E[n - x_0 | x_s]. One clip, one latent per frame.
    """

    def velocity(x, sigma, target):
        s = flow.level(sigma, freedom)[0, 0, :, 0, 0]  # T
        a, eye = torch.diag(1 - s), torch.eye(len(s), dtype=x.dtype)
        cross = torch.diag(s) - covariance @ a  # cov(n - x_0, x_s)
        spread = a @ covariance @ a + torch.diag(s * s)
        weights = torch.linalg.solve(spread + 1e-14 * eye, cross.mT).mT
        centred = x[..., 0, 0] - a @ mean  # B C T
        return (centred @ weights.mT - mean)[..., None, None]

    return velocity


def slope(name, error) -> float:
    """The order at which the error falls, fitted over several numbers of steps.

    UniPC's error has two parts of contrary sign that cancel at about 20 steps: it is judged later.
    """
    steps = [96, 288] if name == "unipc" else [16, 32, 64, 128]
    heights = [math.log2(error(SAMPLERS[name], n)) for n in steps]
    places = [math.log2(n) for n in steps]
    places = [p - sum(places) / len(steps) for p in places]
    return -sum(h * p for h, p in zip(heights, places, strict=True)) / sum(p * p for p in places)


SCHEDULES = {
    "plain": lambda n, T: flow.schedule(n).double(),
    "shifted": lambda n, T: flow.schedule(n, shift=3.0).double(),
    "staggered": lambda n, T: flow.staggered(n, T, chunk=1, lag=n // 4).double(),
    "one after the other": lambda n, T: flow.staggered(n, T, chunk=2, lag=n, shift=2.0).double(),
}


# UniPC's order is seen at many steps alone, which take long: one schedule, and the law below.
ORDERS = [
    (name, kind) for name in ORDER for kind in SCHEDULES if name != "unipc" or kind == "plain"
]


@pytest.mark.parametrize(("name", "kind"), ORDERS)
def test_the_error_on_a_gaussian_falls_with_the_order_of_the_method(name, kind):
    """Latents are independent here, so that each ends at mean + deviation * noise."""
    mean = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64)
    deviation = torch.tensor([0.5, 0.8, 0.3, 1.5], dtype=torch.float64)
    noise = torch.randn(1, 3, 4, 1, 1, generator=torch.Generator().manual_seed(1)).double()
    freedom = torch.ones(1, 1, 4, 1, 1, dtype=torch.float64)
    truth = (mean + deviation * noise[..., 0, 0])[..., None, None]
    velocity = gaussian(mean, torch.diag(deviation**2), freedom)

    def error(sampler, n):
        x = run(sampler(velocity, State(noise), SCHEDULES[kind](n, 4), freedom))
        return (x - truth).abs().max().item()

    assert slope(name, error) == pytest.approx(ORDER[name], abs=0.3)


@without_noise
def test_when_others_move_is_nothing_to_a_latent_that_does_not_see_them(name):
    noise = torch.randn(1, 3, 4, 1, 1, generator=torch.Generator().manual_seed(9)).double()
    freedom = torch.ones(1, 1, 4, 1, 1, dtype=torch.float64)
    spread = torch.diag(torch.tensor([0.3, 0.9, 0.5, 0.2], dtype=torch.float64))
    velocity = gaussian(torch.arange(4).double(), spread, freedom)
    plain, staggered = flow.schedule(6).double(), flow.staggered(6, 4, chunk=1, lag=2).double()
    together = run(SAMPLERS[name](velocity, State(noise), plain, freedom))
    apart = run(SAMPLERS[name](velocity, State(noise), staggered, freedom))
    torch.testing.assert_close(apart, together, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "kind"), ORDERS)
def test_coupled_latents_end_with_the_right_covariance_at_the_same_order(name, kind):
    """The map from noise to latents is linear, A, and whatever the schedule A A' = covariance."""
    place = torch.arange(4, dtype=torch.float64)
    covariance = 0.7 * torch.exp(-0.5 * (place[:, None] - place).abs())
    freedom = torch.ones(1, 1, 4, 1, 1, dtype=torch.float64)
    velocity = gaussian(torch.zeros(4, dtype=torch.float64), covariance, freedom)
    basis = torch.eye(4, dtype=torch.float64)[None, :, :, None, None]  # a channel per unit noise

    def error(sampler, n):
        x = run(sampler(velocity, State(basis), SCHEDULES[kind](n, 4), freedom))[0, :, :, 0, 0]
        return (x.mT @ x - covariance).abs().max().item()

    assert slope(name, error) == pytest.approx(ORDER[name], abs=0.35)


@without_noise
def test_partly_free_latents_follow_the_same_flow_from_their_own_level(name):
    mean, deviation = torch.tensor([0.5, -1.0]).double(), torch.tensor([0.5, 0.8]).double()
    freedom = torch.tensor([0.4, 1.0]).double().view(1, 1, 2, 1, 1)
    known = torch.tensor([0.9, 0.0]).double().view(1, 1, 2, 1, 1)
    noise = torch.tensor([-0.3, 1.2]).double().view(1, 1, 2, 1, 1)
    start = flow.noised(known, freedom, 1.0, noise)
    s = freedom[0, 0, :, 0, 0]
    spread = ((1 - s) ** 2 * deviation**2 + s**2).sqrt()
    truth = mean + deviation * (start[0, 0, :, 0, 0] - (1 - s) * mean) / spread
    velocity = gaussian(mean, torch.diag(deviation**2), freedom)

    def error(sampler, n):
        x = run(sampler(velocity, State(start), flow.schedule(n).double(), freedom))
        return (x[0, 0, :, 0, 0] - truth).abs().max().item()

    assert slope(name, error) == pytest.approx(ORDER[name], abs=0.3)


@every_sampler
@pytest.mark.parametrize("lag", [None, 2])
def test_stopping_and_going_on_equals_never_stopping(name, lag):
    noise = torch.randn(2, 2, 4, 2, 2, generator=torch.Generator().manual_seed(2))
    sigmas = flow.schedule(5) if lag is None else flow.staggered(5, 4, chunk=2, lag=lag)
    board = canvas.keep(canvas.blank((2, 2, 4, 2, 2)), noise[:, :, :1], strength=0.7)
    start, sampler = State(canvas.start(board, noise), 0, None), walker(name, noise)
    states = list(sampler(wavy, start, sigmas, board.freedom))
    assert [state.step for state in states] == list(range(1, len(sigmas)))
    assert torch.equal(bits(states[-1].x), bits(run(sampler(wavy, start, sigmas, board.freedom))))
    for k, state in enumerate(states[:-1]):
        rest = list(sampler(wavy, state, sigmas, board.freedom))
        assert len(rest) == len(states) - k - 1
        for one, other in zip(rest, states[k + 1 :], strict=True):
            assert torch.equal(bits(one.x), bits(other.x))


@every_sampler
def test_a_waiting_latent_does_not_move_and_its_first_step_is_euler(name):
    sigmas = flow.staggered(4, 2, chunk=1, lag=2)
    noise = torch.randn(1, 1, 2, 1, 1, generator=torch.Generator().manual_seed(5))
    freedom = torch.ones(1, 1, 2, 1, 1)
    states = list(walker(name, noise)(wavy, State(noise), sigmas, freedom))
    assert torch.equal(states[1].x[:, :, 1], noise[:, :, 1])
    assert not torch.equal(states[2].x[:, :, 1], noise[:, :, 1])
    assert torch.equal(states[-1].x[:, :, 0], states[3].x[:, :, 0])
    if name not in ("heun", "ancestral"):
        v = wavy(states[1].x, sigmas[2], sigmas[3])
        assert torch.equal(states[2].x[:, :, 1], (states[1].x - 0.25 * v)[:, :, 1])


@every_sampler
@pytest.mark.parametrize("lag", [0, 1, 3, 4])
def test_the_velocity_at_level_0_moves_nothing(name, lag):
    """No model is trained there; on a staggered schedule finished latents stand beside others."""

    def velocity(x, sigma, target):
        return torch.where(flow.level(sigma, torch.ones_like(x)) > 0, torch.sin(x), torch.nan)

    noise = torch.randn(1, 2, 3, 2, 2, generator=torch.Generator().manual_seed(6))
    sigmas = flow.staggered(4, 3, chunk=1, lag=lag)
    walk = walker(name, noise)
    x = run(walk(velocity, State(noise), sigmas, torch.ones(1, 1, 3, 2, 2)))
    assert x.isfinite().all()


def test_only_euler_asks_for_the_mean_velocity_of_its_step():
    sigmas, asked = flow.schedule(3), []

    def velocity(x, sigma, target):
        asked.append((sigma.item(), target.item()))
        return torch.zeros_like(x)

    one = torch.ones(1, 1, 1, 1, 1)
    for name in NAMES:
        asked.clear()
        run(walker(name, one)(velocity, State(one), sigmas, one))
        if name == "euler":
            assert asked == list(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True))
        else:
            assert all(sigma == target for sigma, target in asked)
        assert len(asked) == (5 if name == "heun" else 3)
        assert all(sigma > 0 for sigma, _ in asked)  # no model is trained at level 0


@every_sampler
def test_bf16_latents_stay_bf16(name):
    x, freedom = torch.randn(1, 1, 2, 2, 2).bfloat16(), torch.ones(1, 1, 2, 2, 2)
    assert run(walker(name, x)(wavy, State(x), flow.schedule(3), freedom)).dtype == torch.bfloat16


def test_nothing_to_do_is_an_error_that_says_so():
    x, sigmas = torch.zeros(1, 1, 2, 1, 1), flow.schedule(2)
    with pytest.raises(ValueError, match="no step left"):
        run(SAMPLERS["euler"](wavy, State(x, 2), sigmas, torch.ones_like(x)))
    with pytest.raises(ValueError, match=r"S \+ 1"):
        run(SAMPLERS["euler"](wavy, State(x), sigmas[0], torch.ones_like(x)))


@pytest.mark.parametrize("kind", SCHEDULES)
def test_new_noise_keeps_the_distribution(kind):
    """Coupled latents of 40,000 clips that set out from one and the same noise end with the right
    mean and covariance; what is missing for want of steps falls as they grow in number."""
    place = torch.arange(4, dtype=torch.float64)
    covariance = 0.7 * torch.exp(-0.5 * (place[:, None] - place).abs())
    mean = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64)
    freedom = torch.ones(1, 1, 4, 1, 1, dtype=torch.float64)
    velocity = gaussian(mean, covariance, freedom)
    one = torch.randn(1, 1, 4, 1, 1, generator=torch.Generator().manual_seed(3)).double()
    start = State(one.expand(1, 40_000, 4, 1, 1))
    walk = walker("ancestral", start.x)
    off = []
    for steps in (32, 256):
        x = run(walk(velocity, start, SCHEDULES[kind](steps, 4), freedom))[0, :, :, 0, 0]
        assert (x.mean(0) - mean).abs().max() < 0.02
        off.append((torch.cov(x.mT) - covariance).abs().max().item())
    assert off[1] < 0.05 and off[1] < 0.5 * off[0]


def test_new_noise_is_of_the_seed_and_the_level_and_none_of_the_neighbours():
    x, levels = torch.zeros(2, 3, 4, 2, 2), flow.schedule(4)
    pair, alone = fresh(x, (7, 9)), fresh(x[:1], (9,))
    assert torch.equal(pair(levels[1])[1:], alone(levels[1]))
    draws = [pair(level)[i] for level in levels[1:3] for i in (0, 1)]
    assert len({tuple(d.flatten().tolist()) for d in draws}) == 4
    rows = flow.staggered(4, 4, chunk=1, lag=1)
    assert not torch.equal(pair(rows[1]), pair(rows[2]))


def test_a_name_of_no_sampler_is_refused():
    with pytest.raises(KeyError):
        named("no such sampler", fresh(torch.zeros(1, 1, 1, 1, 1), (0,)))
