"""Streams on a tiny random model: laws of caches, of going on, of length, and of memory."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from worldreel import canvas, engine, flow, samplers, tokens
from worldreel.canvas import Canvas
from worldreel.course import Pace
from worldreel.errors import RequestError
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.stream import State, Stream, stream

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = Pace(window=4, advance=2, anchor=0)
STAGGERED = Pace(window=5, advance=1, lag=2, anchor=0)  # two groups at once
ANCHORED = Pace(window=3, advance=1, anchor=2)
PACES = {"plain": PLAIN, "staggered": STAGGERED, "anchored": ANCHORED}
SMALL: dict[str, Any] = dict(size=(64, 64), num_inference_steps=4, seed=3)


@pytest.fixture(scope="module")
def model(tiny_model):
    return engine.load(tiny_model, dtype="float32")


@pytest.fixture(params=PACES.values(), ids=PACES)
def pace(request):
    return request.param


def made(model, seconds=4.0, pace=PLAIN, **asked) -> Stream:
    return stream(model, "a red ball", seconds=seconds, pace=pace, **{**SMALL, **asked})


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    return bool((a - b).abs().max() <= tolerance * b.abs().max())


def latents(chunks) -> Tensor:
    return torch.cat([c.latents for c in chunks], dim=2)


class Uncached(Stream):
    """Reads all that is kept anew in every tick, as part of one canvas."""

    seen = 0

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.referred: list[int] = []  # groups that were painted with an anchor in sight

    def _context(self, state, stop, held):
        cached = super()._context(state, stop, held)
        if not state.done:
            assert cached is None
            return None
        p, c = self.engine.dit.preset, self.course
        start = c.group(state.done)[0]
        low = start - c.context
        known = canvas.tail(torch.cat(state.recent, dim=2), c.context)
        painted = torch.zeros_like(known[:, :, :1]).expand(-1, -1, stop - start, -1, -1)
        freedom = torch.ones(1, 1, c.context + stop - start, *known.shape[3:])
        freedom[:, :, : c.context] = 0
        board = Canvas(known=torch.cat([known, painted], dim=2), freedom=freedom)
        anchors = self.anchors(state, stop)
        if anchors is not None:
            board = canvas.refer(board, anchors)
            self.referred.append(state.done)
        plain = tokens.remember(
            self.engine.dit,
            board,
            tokens.bag(board, patch=p.patch, chunk=p.chunk),
            context_level=c.pace.context_level,
            noise=self.noise(low, stop)[1],
        )
        assert torch.equal(cached.pos, plain.pos)
        for a, b in zip(cached.keys + cached.values, plain.keys + plain.values, strict=True):
            assert close(a, b)
        self.seen += 1
        return plain


def test_cached_context_equals_uncached(model, pace):
    usual = made(model, pace=pace)
    plain = Uncached(model, usual.course)
    assert close(latents(usual), latents(plain), 1e-4) and plain.seen >= usual.course.num_groups - 1


def test_cached_context_equals_uncached_in_chunks_of_two(model, tiny_model):
    """A chunk of two latents, whose tokens see each other."""
    other = engine.load(tiny_model, dtype="float32")
    dit = DiT(dataclasses.replace(TINY_DIT, chunk=2))
    dit.load_state_dict(model.dit.state_dict())
    other.dit = dit.requires_grad_(False)
    usual = made(other)
    assert close(latents(usual), latents(Uncached(other, usual.course)), 1e-4)
    assert not close(latents(usual), latents(made(model)))  # a chunk's latents see each other


def test_an_anchor_is_shown_while_its_words_are_said(model):
    """The beginning; after other words, what was painted with nothing of the old ones in sight."""
    one = made(model, 4, pace=ANCHORED, then=[(2, "a blue cube")])  # latent 6, group 4
    plain = Uncached(model, one.course)
    chunks = list(plain)
    assert [one.course.group(i) for i in (0, 1, 4, 6)] == [(0, 3), (3, 4), (6, 7), (8, 9)]
    assert one.course.anchors == (0, 6)
    assert plain.referred == [1, 2, 3, 9]  # as soon as a latent of the anchor left the window
    assert torch.equal(chunks[9].state.anchor, chunks[6].latents)
    assert close(latents(one), latents(plain), 1e-4)
    for after in (5, 7):
        rest = list(
            made(model, 4, pace=ANCHORED, then=[(2, "a blue cube")]).chunks(chunks[after].state)
        )
        assert close(latents(rest), latents(chunks[after + 1 :]), 1e-4)


def test_each_group_is_read_once(model, monkeypatch):
    shapes = []
    remember = model.dit.remember
    monkeypatch.setattr(
        model.dit, "remember", lambda x, *a, **k: shapes.append(x.shape[1]) or remember(x, *a, **k)
    )
    groups = len(list(made(model, pace=PLAIN)))
    assert groups == 5 and shapes == [4 * 16] + [2 * 16] * 3  # the last one serves nobody
    shapes.clear()
    made_ = list(made(model, pace=ANCHORED))
    assert shapes.count(16) - (len(made_) - 2) == 1 and shapes.count(2 * 16) == 1  # the anchor


def test_a_stream_goes_on_from_any_state(model, pace):
    """Law 7, bit for bit: nothing is remembered but the state."""
    whole = list(made(model, 3, pace=pace))
    for after in whole[1:-1:2]:
        held = {
            f.name: getattr(after.state, f.name) for f in dataclasses.fields(after.state)
        }  # copies: no tensor is shared with the run that was stopped
        copies = {
            k: v.clone()
            if isinstance(v, Tensor)
            else tuple(r.clone() for r in v)
            if isinstance(v, tuple)
            else v
            for k, v in held.items()
        }
        rest = list(made(model, 3, pace=pace).chunks(State(**copies)))
        assert [c.index for c in rest] == list(range(after.index + 1, len(whole)))
        for a, b in zip(whole[after.index + 1 :], rest, strict=True):
            assert torch.equal(a.latents, b.latents) and np.array_equal(a.frames, b.frames)


def test_the_beginning_does_not_depend_on_the_length(model, pace):
    long, short = list(made(model, 4, pace=pace)), list(made(model, 2.4, pace=pace))
    assert len(short) < len(long)
    for a, b in zip(long, short, strict=False):
        assert torch.equal(a.latents, b.latents)
        assert np.array_equal(a.frames[: len(b.frames)], b.frames)
    assert sum(len(c.frames) for c in short) == 28 and sum(len(c.frames) for c in long) == 48
    assert [c.seconds for c in made(model)] == [0, 4 / 3, 2, 8 / 3, 10 / 3]


def test_new_noise_changes_neither_going_on_nor_the_beginning(model, pace, monkeypatch):
    """Both laws above, of the sampler that draws."""
    plain = latents(made(model, 3, pace=pace))
    settings = dataclasses.replace(model.settings, sampler="ancestral")
    monkeypatch.setattr(model, "settings", settings)
    whole = list(made(model, 3, pace=pace))
    assert not close(latents(whole), plain, 1e-3)
    for after in whole[1:-1:2]:
        rest = list(made(model, 4, pace=pace).chunks(after.state))
        for a, b in zip(whole[after.index + 1 : -1], rest, strict=False):
            assert torch.equal(a.latents, b.latents) and np.array_equal(a.frames, b.frames)


def test_decoding_by_chunk_equals_decoding_whole(model, pace):
    chunks = list(made(model, pace=pace))
    whole = model.decode(latents(chunks))[0][: sum(len(c.frames) for c in chunks)]
    streamed = np.concatenate([c.frames for c in chunks])
    assert np.abs(whole.astype(int) - streamed).max() <= 1  # a half may be rounded either way
    assert (whole == streamed).mean() > 0.999


def test_words_are_heard_from_their_second_on(model):
    plain = list(made(model))
    turned = list(made(model, then=[(7 / 3, "a blue cube")]))  # latent 7, amid a group
    for a, b in zip(plain, turned, strict=True):
        assert torch.equal(a.latents, b.latents) == (b.seconds < 2)
    again = list(made(model, then=[(7 / 3, "a red ball")]))
    assert all(close(a.latents, b.latents, 1e-4) for a, b in zip(plain, again, strict=True))


def test_noise_is_of_the_seed_and_the_place_alone(model):
    a, b = made(model), made(model, 2, pace=STAGGERED)
    for i in (0, 1):
        assert torch.equal(a.noise(0, 9)[i][:, :, 4:], b.noise(4, 9)[i])
    paint, show = a.noise(0, 400)
    assert paint.shape == (1, 8, 400, 4, 4)
    for x in (paint, show):
        assert abs(float(x.mean())) < 0.02 and abs(float(x.std()) - 1) < 0.02
    assert abs(float((paint * show).mean())) < 0.02
    assert abs(float((paint[:, :, 1:] * paint[:, :, :-1]).mean())) < 0.02
    assert not torch.equal(paint, made(model, seed=4).noise(0, 400)[0])


@pytest.mark.parametrize("sampler", samplers.NAMES)
def test_staggered_groups_walk_the_schedule_as_one_would(model, monkeypatch, sampler):
    """With a velocity that looks at one latent alone, windows and ticks change nothing."""

    def field(self, board, low, per_frame, noise, context, goes_on):
        def velocity(x, sigma, target):
            return torch.tanh(x) * (1 + flow.level(sigma, torch.ones_like(x[:, :1])))

        return velocity

    monkeypatch.setattr(Stream, "_velocity", field)
    settings = dataclasses.replace(model.settings, sampler=sampler)
    monkeypatch.setattr(model, "settings", settings)
    for pace in (PLAIN, STAGGERED, Pace(window=9, advance=2, lag=1)):
        one = made(model, pace=pace)
        found = latents(one)
        start = samplers.State(one.noise(0, found.shape[2])[0])
        sigmas = flow.schedule(4, shift=settings.flow_shift)
        v = field(None, None, 0, False, None, None, False)
        freedom = torch.ones_like(start.x[:, :1])
        alone = samplers.run(one.sampler(0, found.shape[2])(v, start, sigmas, freedom))
        assert close(found, alone, 1e-6)


def test_what_is_kept_is_shown_under_noise(model):
    clean, noisy = (
        latents(made(model, pace=dataclasses.replace(PLAIN, context_level=level)))
        for level in (0.0, 0.3)
    )
    assert torch.equal(clean[:, :, :4], noisy[:, :, :4])
    assert not close(clean[:, :, 4:], noisy[:, :, 4:], 1e-3)


def test_a_first_picture(model, pace):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    one = made(model, 3, pace=pace, image=pixels)
    whole = list(one)
    assert torch.equal(latents(whole)[:, :, :1], model.encode_still(pixels))
    frames = np.concatenate([c.frames for c in whole])
    assert len(frames) == 36 and whole[0].seconds == 0
    decoded = model.decode(latents(whole))[0][3 : 3 + 36]
    assert np.abs(decoded.astype(int) - frames).max() <= 1
    rest = list(made(model, 3, pace=pace, image=pixels).chunks(whole[0].state))
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(whole[1:], rest, strict=True))
    other = made(model, 3, pace=pace, image=255 - pixels)
    assert other.fingerprint != one.fingerprint != made(model).fingerprint
    assert not close(latents(whole), latents(other), 1e-3)


def test_guidance_and_what_is_not_wanted(model):
    plain, strong, against, alone = (
        latents(made(model, 2, **asked))
        for asked in (
            {},
            {"guidance_scale": 6},
            {"negative_prompt": "a blue cube"},
            {"guidance_scale": 1},
        )
    )
    for other in (strong, against, alone):
        assert not close(plain, other, 1e-3)


@torch.no_grad()
def test_memory_and_work_do_not_grow(model):
    """What is held and what is computed is the same for the 5th group and for the 20th."""
    one = made(model, 20, pace=dataclasses.replace(PLAIN, anchor=1))
    held, work, caches, state = [], {}, {}, State()
    for i in range(20):
        if i in (5, 19):
            with FlopCounterMode(display=False) as counter:
                state = one._tick(state, caches)
            work[i] = counter.get_total_flops()
        else:
            state = one._tick(state, caches)
        assert state.done == i + 1 and state.anchor is not None
        held.append((len(caches), sum(r.numel() for r in (*state.recent, state.anchor))))
    assert len(set(held[5:])) == 1 and work[5] == work[19] > 0


def test_notes_and_words(model):
    one = made(model, then=[(2, "a blue zebra")])
    assert [w["ignored"] for w in one.words] == [[], ["zebra"]]
    assert any("zebra" in note for note in one.notes)
    assert made(model).fingerprint == one.fingerprint


def test_an_unknown_parameter_names_the_nearest(model):
    with pytest.raises(RequestError, match="did you mean num_inference_steps"):
        stream(model, "a red ball", steps=3)  # type: ignore[call-arg]


def test_a_model_without_chunks_is_refused(tiny_model):
    other = engine.load(tiny_model, dtype="float32")
    other.dit.preset = dataclasses.replace(other.dit.preset, chunk=None)
    with pytest.raises(RequestError, match="knows no chunks"):
        made(other)
