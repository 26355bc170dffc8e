"""Laws of training's options: off they change nothing, on they do what they say and no more."""

import dataclasses
import functools

import pytest
import torch

from worldreel import checkpoint
from worldreel.data.clip import DENSE
from worldreel.data.loader import Loader
from worldreel.errors import RequestError
from worldreel.parallel import Ranks
from worldreel.train import course, dit, recipe
from worldreel.train.optim import Ema

pytestmark = pytest.mark.usefixtures("one_thread")
NOW = 1e-9  # minutes: stop after one step
ALL = {
    "preset.layers": "3", "preset.predicts": "x", "muon": "false", "bypass": "0.5",
    "contrast": "0.05", "subjects": "3.0", "averages": "(0.0, 0.5)", "mean": "0.5", "std": "0.7",
    "twins": "false",
    "context_level": "0.5", "context_exact": "0.2", "own": "0.5", "staggered": "0.5",
    "tasks": "{'blank': 1, 'stream': 1, 'refer': 2}",
}  # fmt: skip


@pytest.fixture(scope="module")
def name(tiny):
    return str(tiny / "tiny.py")


def config(name, **changes):
    c = recipe.load(name, "dit", {"preset.layers": "3", "bf16": "false"})
    return dataclasses.replace(c, **changes)


def first(c, step=0):
    """A learner's two losses on the first batch of the second phase."""
    one = dit.learner(c, Ranks())
    torch.nn.init.normal_(one.model.head.weight, generator=torch.Generator().manual_seed(0))
    batch = next(Loader(c.phases[1].buckets, seed=0))
    return dit.losses(one, batch, c, step, Ranks())


def test_stopping_changes_no_bit_with_every_option_on(name, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    dit.main(name, out=whole, overrides=ALL)
    for _ in range(8):
        dit.main(name, out=stopped, minutes=NOW, overrides=ALL)
    for folder in ("final", "final-0.0", "final-0.5"):
        one, two = (checkpoint.load(out / folder, kind="dit").tensors for out in (whole, stopped))
        assert checkpoint.fingerprint(one) == checkpoint.fingerprint(two)


def test_averages_stand_side_by_side(name, tmp_path):
    dit.main(name, out=tmp_path, overrides={"averages": "(0.0, 0.9)", "ema": "0.9"})
    held = {
        folder: checkpoint.load(tmp_path / folder, kind="dit")
        for folder in ("final", "final-0.0", "final-0.9")
    }
    state = checkpoint.latest(tmp_path)
    assert state is not None
    own = checkpoint.load(state, kind="dit-run").tensors
    for key, value in held["final-0.0"].tensors.items():  # no memory: the weights themselves
        assert torch.allclose(value, own[f"model.{key}"].half().float(), atol=1e-6)
    same = [checkpoint.fingerprint(held[folder].tensors) for folder in ("final", "final-0.9")]
    assert same[0] == same[1]
    told = [held[folder].provenance.get("average") for folder in ("final", "final-0.9")]
    assert told == [None, 0.9]


def test_an_average_by_its_power():
    """Power 1 is the plain mean; power 3 weighs a step as the square of its number."""
    model = torch.nn.Linear(1, 1)
    one, three = (Ema(model, 1.0, power=power) for power in (1.0, 3.0))
    for value in range(400):
        model.weight.data.fill_(float(value))
        one.update()
        three.update()
    assert one.average["weight"].item() == pytest.approx(199, abs=2)
    assert three.average["weight"].item() == pytest.approx(300, abs=2)


def test_all_by_adamw(name):
    for muon in (True, False):
        opt = dit.learner(config(name, muon=muon), Ranks()).opt
        assert bool(opt.muon.parameters) == muon and opt.adamw.parameters


def test_contrast_takes_away_the_distance_to_the_neighbour(name):
    plain, half, whole = (first(config(name, contrast=x))[0] for x in (0.0, 0.5, 1.0))
    assert half < plain
    assert (plain - whole).item() == pytest.approx(2 * (plain - half).item(), rel=1e-4)
    x = torch.arange(4)[:, None]
    assert dit.neighbours(x)[:, 0].tolist() == [1, 0, 3, 2]
    with pytest.raises(RequestError, match="in pairs: 3"):
        dit.neighbours(x[:3])


def test_errors_count_more_where_a_thing_is_and_less_so_near_noise(name):
    dense = torch.zeros(1, 2, 1, 3, len(DENSE))
    dense[0, 0, 0, 1, DENSE.index("cone")] = 0.01  # an edge of it
    dense[0, 1, 0, 2, DENSE.index("red")] = 1.0  # a colour alone is no thing's
    dense[..., DENSE.index("near")] = 1.0
    levels = torch.full((1, 1, 2, 1, 3), 0.75)
    weight = dit.emphasis(dense, levels, 4.0)
    assert weight[0, 0, 0, 0].tolist() == [1, 2, 1] and weight[0, 0, 1, 0].tolist() == [1, 1, 1]
    assert torch.equal(dit.emphasis(dense, torch.ones_like(levels), 4.0), torch.ones_like(levels))
    plain, half, whole = (first(config(name, subjects=x))[0] for x in (0.0, 2.0, 4.0))
    assert plain < half and (whole - plain).item() == pytest.approx(2 * (half - plain).item(), 1e-4)
    with pytest.raises(ValueError, match="subjects is -1"):
        config(name, subjects=-1.0)


def test_tokens_that_pass_by_are_drawn_for_the_whole_batch(name):
    c = config(name, bypass=0.6)
    assert dit.staying(18, c) == 8 and dit.staying(1, c) == 1
    assert dit.thinned(4, 18, config(name), 0, Ranks()) is None
    drawn = []
    for step in range(6):
        one = dit.thinned(4, 18, c, step, Ranks())
        halves = [dit.thinned(2, 18, c, step, Ranks(rank=r, size=2)) for r in range(2)]
        assert torch.equal(one, torch.cat(halves))
        assert one.shape == (4, 8) and (one.diff(dim=1) > 0).all()
        drawn.append(one)
    assert len({tuple(x.flatten().tolist()) for x in drawn}) == 6
    assert torch.cat(drawn).unique().tolist() == list(range(18))
    with pytest.raises(ValueError, match="below 1"):
        config(name, bypass=1.0)


def test_the_head_learns_of_those_that_stay(name):
    """The truth that is compared is that of the tokens that the middle block saw."""
    flow_loss, dense_loss = first(config(name, bypass=0.5), step=3)
    plain = first(config(name), step=3)
    assert flow_loss.isfinite() and dense_loss.isfinite()
    assert dense_loss != plain[1] and flow_loss != plain[0]


def test_levels_move_and_spread(name):
    def levels(**changes):
        c = config(name, shift=1.0, **changes)
        drawn = [dit.draw((8, 8, 3, 2, 3), c, step, Ranks()).sigma for step in range(40)]
        return torch.logit(torch.cat(drawn)[:, 0])

    plain, moved = levels(), levels(mean=1.0, std=0.5)
    assert torch.allclose(moved, 1.0 + 0.5 * plain, atol=1e-3)


def test_what_it_cost_counts_those_that_stay(name):
    plain, thin = config(name), config(name, bypass=0.5)
    model = dit.learner(plain, Ranks()).model

    def cost(c):
        return course.cost(c, 8, 5, functools.partial(dit.flops, c, model))

    assert cost(thin)["flops"] < 0.9 * cost(plain)["flops"]
    assert cost(thin)["clips"] == cost(plain)["clips"]
