"""Laws 4, 5 and 6 of the transformer: caches, batches, positions, rings, levels, words."""

import dataclasses
import functools

import pytest
import torch
from torch.nn import functional

from worldreel import canvas, tokens
from worldreel.models import attention
from worldreel.models.attention import attend
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.tokens import Words

SHAPE = (2, 8, 4, 2, 3)


@pytest.fixture(scope="module")
def model():
    generator = torch.Generator().manual_seed(0)
    net = DiT(dataclasses.replace(TINY_DIT, target=True)).init(generator)
    for p in net.parameters():  # no zeros: every path must count
        torch.nn.init.normal_(p, std=0.2, generator=generator)
    return net.requires_grad_(False)


def randn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def states(batch, seed=5):
    return randn(batch, 5, 16, seed=seed)


def run(net, board, x, words, sigma=0.7, per_frame=False, context=None, through=None):
    box = tokens.bag(board, chunk=1, per_frame=per_frame)
    context = tokens.remember(net, board, box) if context is None else context
    network = net if through is None else functools.partial(net, through=through)
    field = tokens.velocity(network, board, box, words, context=context)
    level = torch.as_tensor(sigma)
    return field(x, level, level)


def close(a, b, tolerance=1e-5):
    return (a - b).abs().max() <= tolerance * b.abs().max()


def test_batch_equals_clips_one_by_one(model):
    clean, text = randn(*SHAPE), states(2)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    board = canvas.keep(canvas.blank(SHAPE), clean[:, :, :1])
    whole = run(model, board, clean, model.read([(None, text, mask)], 2))
    for i in range(2):
        one = dataclasses.replace(board, known=board.known[i : i + 1], freedom=board.freedom[:1])
        count = int(mask[i].sum())
        words = model.read([(None, text[i : i + 1, :count], None)], 1)
        alone = run(model, one, clean[i : i + 1], words)
        assert close(whole[i : i + 1], alone)


def test_kept_tokens_see_their_own_chunk_alone(model):
    """What is remembered of a latent does not depend on other latents, words or what is painted."""
    clean = randn(*SHAPE)
    both = canvas.keep(canvas.blank(SHAPE), clean[:, :, :2])
    box = tokens.bag(both, chunk=1)
    context = tokens.remember(model, both, box)
    assert box.chunks == (6, 6)
    for t in range(2):
        one = canvas.keep(canvas.blank(SHAPE), clean[:, :, t : t + 1], at=t)
        alone = tokens.remember(model, one, tokens.bag(one, chunk=1))
        for layer in range(2):
            part = context.keys[layer][:, :, 6 * t : 6 * t + 6]
            assert close(part, alone.keys[layer])


def test_uneven_chunks_equal_single_ones(model):
    clean = randn(*SHAPE)
    board = canvas.keep(canvas.blank(SHAPE), clean[:, :, :3])
    box = tokens.bag(board, chunk=2)
    assert box.chunks == (12, 6)
    assert box.kept is not None
    context = tokens.remember(model, board, box)
    last = canvas.keep(canvas.blank(SHAPE), clean[:, :, 2:3], at=2)
    alone = tokens.remember(model, last, tokens.bag(last, chunk=2))
    assert close(context.values[1][:, :, 12:], alone.values[1])


def test_shifting_the_whole_window_changes_nothing(model):
    clean, text = randn(*SHAPE), states(2)
    board = canvas.keep(canvas.blank(SHAPE), clean[:, :, :1])
    box = tokens.bag(board, chunk=1)
    assert box.kept is not None
    words = model.read([(None, text, None)], 2)
    plain = run(model, board, clean, words)
    move = torch.tensor([37.0, 5.0, -3.0])
    far = dataclasses.replace(
        box,
        painted=dataclasses.replace(box.painted, pos=box.painted.pos + move),
        kept=dataclasses.replace(box.kept, pos=box.kept.pos + move),
    )
    context = tokens.remember(model, board, far)
    level = torch.tensor(0.7)
    moved = tokens.velocity(model, board, far, words, context=context)(clean, level, level)
    assert close(moved, plain)


@pytest.mark.parametrize("frames", [3, 4])
@pytest.mark.parametrize("kept", [False, True])
def test_rolling_a_rings_input_rolls_its_output(model, frames, kept):
    shape = (1, 8, frames, 2, 2)
    clean, words = randn(*shape), model.read([(None, states(1), None)], 1)

    def go(x, at):
        board = canvas.ring(shape)
        if kept:
            board = canvas.keep(board, x[:, :, at : at + 1], at=at)
        return run(model, board, x, words)

    plain = go(clean, 0)
    for shift in (1, 2):
        rolled = go(clean.roll(shift, 2), shift)
        assert close(rolled, plain.roll(shift, 2))
    flat = run(model, canvas.blank(shape), clean, words)
    assert kept or not close(flat, plain, 1e-3), "a ring must differ from a line"


def test_patchify_round_trips_bit_for_bit():
    x = randn(2, 8, 3, 4, 6)
    for patch in (1, 2):
        back = tokens.unpatchify(tokens.patchify(x, patch), (3, 4 // patch, 6 // patch), patch)
        assert torch.equal(back, x)


def test_take_and_put_are_inverse(model):
    x = randn(*SHAPE)
    board = canvas.keep(canvas.blank(SHAPE), x[:, :, 1:2], at=1)
    box = tokens.bag(board, chunk=1)
    back = tokens.put(tokens.take(x, box.painted, 1), box)
    assert torch.equal(back, torch.where(board.kept, 0.0, x))


def test_words_reach_their_span_alone(model):
    clean = randn(*SHAPE)
    board = canvas.blank(SHAPE)
    box = tokens.bag(board, chunk=1)
    spans = [Words(states=states(2), stop=2), Words(states=states(2, seed=8), start=2)]
    runs = tokens.groups(spans, box)
    assert runs == [(12, (0,)), (12, (1,))]
    field = lambda groups: tokens.velocity(model, board, box, model.read(groups, 2))  # noqa: E731
    level = torch.tensor(0.7)
    split = field([(12, spans[0].states, None), (12, spans[1].states, None)])(clean, level, level)
    same = field([(12, spans[0].states, None), (12, spans[0].states, None)])(clean, level, level)
    whole = field([(None, spans[0].states, None)])(clean, level, level)
    assert close(same, whole)
    assert not close(split, whole, 1e-3)


def test_levels_per_latent_equal_one_level_where_they_agree(model):
    clean, words = randn(*SHAPE), model.read([(None, states(2), None)], 2)
    board = canvas.blank(SHAPE)
    one = run(model, board, clean, words)
    row = run(model, board, clean, words, sigma=[0.7] * 4, per_frame=True)
    assert close(row, one)
    other = run(model, board, clean, words, sigma=[0.7, 0.7, 0.7, 0.2], per_frame=True)
    assert not close(other, one, 1e-3)


def test_the_target_level_matters_where_the_preset_has_one(model):
    clean, words = randn(*SHAPE), model.read([(None, states(2), None)], 2)
    board = canvas.blank(SHAPE)
    field = tokens.velocity(model, board, tokens.bag(board, chunk=1), words)
    now = field(clean, torch.tensor(0.7), torch.tensor(0.7))
    down = field(clean, torch.tensor(0.7), torch.tensor(0.2))
    assert not close(down, now, 1e-3)


def test_references_are_seen_and_do_not_move(model):
    clean, words = randn(*SHAPE), model.read([(None, states(2), None)], 2)
    plain = canvas.blank(SHAPE)
    board = canvas.refer(plain, randn(2, 8, 2, 2, 3, seed=9))
    box = tokens.bag(board, chunk=1)
    assert box.chunks == (6, 6) and box.kept is not None
    assert box.kept.pos[0, :, 0].unique().tolist() == [-12.0, -8.0]
    assert not close(run(model, board, clean, words), run(model, plain, clean, words), 1e-3)


def test_clips_that_keep_different_latents_are_refused():
    freedom = torch.ones(2, 1, 4, 2, 3)
    freedom[0, :, 0] = 0
    board = canvas.Canvas(known=torch.zeros(SHAPE), freedom=freedom)
    with pytest.raises(ValueError, match="split the batch"):
        tokens.bag(board, chunk=1)
    assert tokens.bag(board, chunk=None).kept is None


def test_a_patch_is_as_free_as_its_freest_latent():
    freedom = torch.zeros(1, 1, 1, 2, 4)
    freedom[..., 0, 0] = 0.5
    board = canvas.Canvas(known=randn(1, 8, 1, 2, 4), freedom=freedom)
    box = tokens.bag(board, patch=2, chunk=1)
    assert box.painted.index.tolist() == [0] and box.painted.freedom.tolist() == [[0.5]]
    noise, x = randn(1, 8, 1, 2, 4, seed=3), board.known
    seen = tokens.shown(x, board, torch.tensor(1.0), 2, noise)
    assert torch.equal(seen[..., 0, 0], x[..., 0, 0])  # painted: the sampler's own
    assert torch.allclose(seen[..., 1, 1], 0.5 * (x + noise)[..., 1, 1])  # kept: noised in view
    assert torch.equal(seen[..., 2:], x[..., 2:])  # kept tokens: clean


@pytest.mark.parametrize("target", [True, False])
def test_flops_are_those_that_torch_counts(target):
    from torch.utils.flop_counter import FlopCounterMode

    preset = dataclasses.replace(TINY_DIT, target=target, null_word=target)
    net, board = DiT(preset), canvas.blank((1, 8, 3, 2, 2))
    with FlopCounterMode(display=False) as counter:  # of plain attention, as in training
        run(net, board, board.known, net.read([(None, states(1), None)], 1))
    assert counter.get_total_flops() == net.flops(12, 5)


def test_flops_are_those_that_torch_counts_where_tokens_pass_by():
    from torch.utils.flop_counter import FlopCounterMode

    net = DiT(dataclasses.replace(TINY_DIT, layers=4))
    board = canvas.blank((1, 8, 3, 2, 2))
    through = torch.tensor([[0, 3, 4, 7, 11]])
    with FlopCounterMode(display=False) as counter:
        run(net, board, board.known, net.read([(None, states(1), None)], 1), through=through)
    assert counter.get_total_flops() == net.flops(12, 5, through=5)


def test_tokens_that_pass_by_are_not_seen_in_the_middle():
    net = DiT(dataclasses.replace(TINY_DIT, layers=4))
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.2, generator=torch.Generator().manual_seed(p.numel()))
    board, x = canvas.blank(SHAPE), randn(*SHAPE)
    words = net.read([(None, states(2), None)], 2)
    plain = run(net, board, x, words)
    assert close(run(net, board, x, words, through=torch.arange(24).expand(2, -1)), plain)
    stay = torch.stack([torch.arange(0, 24, 2), torch.arange(1, 24, 2)])
    thin = run(net, board, x, words, through=stay)
    assert not close(thin, plain, 1e-3)
    seen, made = [], []
    for block in net.blocks:
        block.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        block.register_forward_hook(lambda _, __, out: made.append(out[0]))
    run(net, board, x, words, through=stay)
    assert [h.shape[1] for h in seen] == [24, 12, 12, 24]
    for clip in range(2):
        assert torch.equal(seen[1][clip], made[0][clip][stay[clip]])
        assert torch.equal(seen[3][clip][stay[clip]], made[2][clip])
        past = [n for n in range(24) if n not in stay[clip]]
        assert torch.equal(seen[3][clip][past], made[0][clip][past])


def test_a_network_that_predicts_clean_latents_gives_their_velocity():
    net = DiT(dataclasses.replace(TINY_DIT, predicts="x")).init(torch.Generator().manual_seed(0))
    board, x = canvas.blank(SHAPE), randn(*SHAPE)
    words = net.read([(None, states(2), None)], 2)  # a fresh head says that all is 0
    assert close(run(net, board, x, words, sigma=0.4), x / 0.4)
    assert close(run(net, board, x, words, sigma=0.01), x / 0.05)
    net.head.bias.data.fill_(1.0)
    assert close(run(net, board, x, words, sigma=[0.5] * 4, per_frame=True), (x - 1) / 0.5)
    with pytest.raises(ValueError, match="give v or x"):
        DiT(dataclasses.replace(TINY_DIT, predicts="noise"))


@pytest.mark.parametrize("masked", [False, True])
def test_attention_recorded_in_parts_has_the_plain_gradient(masked, monkeypatch):
    generator = torch.Generator().manual_seed(1)
    given = [torch.randn(2, 3, n, 8, generator=generator) for n in (10, 7, 7)]
    mask = torch.rand(2, 7, generator=generator) > 0.3 if masked else None
    pull = torch.randn(2, 3, 10, 8, generator=generator)

    def gradients(work) -> list[torch.Tensor]:
        leaves = [x.clone().requires_grad_() for x in given]
        work(*leaves).backward(pull)
        return [x.grad for x in leaves if x.grad is not None]

    seen = None if mask is None else mask[:, None, None]
    plain = gradients(lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, seen))
    for cached in (1, 1 << 20):
        monkeypatch.setattr(attention, "_CACHED", cached)
        for got, wanted in zip(gradients(lambda *x: attend(*x, mask)), plain, strict=True):
            assert close(got, wanted, 1e-5)
