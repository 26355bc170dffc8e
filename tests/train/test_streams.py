"""What streams serve is what is trained: the same canvas, words and levels, from the same calls."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from worldreel import canvas, engine, flow, tokens
from worldreel.course import Pace
from worldreel.data import clip
from worldreel.data.loader import Batch, Bucket, Loader, spans
from worldreel.errors import RequestError
from worldreel.parallel import Ranks
from worldreel.stream import Stream, stream
from worldreel.train import dit, few, recipe
from worldreel.train.course import Phase
from worldreel.world.labels import LABELS

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (4, 8, 14, 2, 2)  # B C T H W: long enough for windows of 6 and of 12
ON = {
    "tasks": {"blank": 1.0, "extend": 1.0, "stream": 2.0, "refer": 3.0, "inpaint": 1.0},
    "context_level": 0.5, "context_exact": 0.2, "own": 0.5, "staggered": 0.5, "spans": 0.7,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tiny_model):
    return engine.load(tiny_model, dtype="float32")


@pytest.fixture(scope="module")
def name(tiny):
    return str(tiny / "tiny.py")


def config(name, **changes):
    return dataclasses.replace(recipe.load(name, "dit", {"bf16": "false"}), **changes)


def batch(count=4, rows=slice(None)):
    """Clips of which every second has two shots or three, at places of its own."""
    generator = torch.Generator().manual_seed(5)
    said = torch.randint(0, 2, (3, len(LABELS), count), generator=generator)
    starts = [(0,), (0, 5), (0,), (0, 3, 8)]
    parts = [
        [(at, {slot: int(said[i, n, k]) for n, slot in enumerate(LABELS)})
         for i, at in enumerate(starts[k % 4])]
        for k in range(count)
    ][rows]  # fmt: skip
    latents = torch.randn(count, *SHAPE[1:], generator=generator)[rows]
    dense = torch.rand(count, *SHAPE[2:], len(clip.DENSE), generator=generator)[rows]
    first = {slot: torch.tensor([own[0][1][slot] for own in parts]) for slot in LABELS}
    return Batch(
        bucket=0, still=False, latents=latents, dense=dense, captions=[""] * len(parts),
        labels=first, said=first, seeds=[0] * len(parts), spans=spans(parts),
    )  # fmt: skip


def learner(c):
    one = dit.learner(c, Ranks())
    torch.nn.init.normal_(
        one.model.head.weight, std=0.2, generator=torch.Generator().manual_seed(0)
    )
    return one


# The same calls.


def served(model, pace: Pace, groups: int, **asked) -> tuple[Stream, object]:
    """A stream and its state after so many groups."""
    made = stream(
        model, "a red ball", seconds=9, size=(64, 64), num_inference_steps=4, seed=3,
        guidance_scale=1.0, pace=pace, **asked,
    )  # fmt: skip
    chunks = made.chunks()
    for _ in range(groups):
        chunk = next(chunks)
    return made, chunk.state


def drawn(
    task: str, latents: int, window: tuple[int, int], kept: int, shown: list[int]
) -> dit.Draw:
    """The draw of a training step that falls on a window, a split and references."""
    c = SimpleNamespace(
        seed=0, mean=0.0, std=1.0, shift=1.0, context_exact=0.0, context_level=0.3, dropout=0.0,
        tasks={task: 1.0}, soft=0.0, own=0.0, staggered=0.0, spans=1.0,
    )  # fmt: skip
    for step in range(3000):
        d = dit.draw((1, 1, latents, 1, 1), c, step, Ranks())  # type: ignore[arg-type]
        if (
            d.places[0].tolist() == [*range(*window)]
            and int((d.freedom == 0).sum()) == kept
            and d.shown[0].tolist() == shown
        ):
            return d
    raise AssertionError("no step draws what a stream serves")


@pytest.mark.parametrize(
    ("task", "pace", "groups", "latents", "then"),
    [
        ("refer", Pace(), 2, 12, []),
        ("refer", Pace(anchor=2), 3, 15, []),
        ("refer", Pace(window=12, advance=6), 2, 24, []),
        ("stream", Pace(anchor=0), 2, 12, [(10 / 3, "a blue cube")]),
        ("stream", Pace(), 2, 12, [(10 / 3, "a blue cube")]),  # the anchor gives way
        ("refer", Pace(window=12, advance=3, lag=2), 1, 18, []),
    ],
)
def test_a_drawn_canvas_is_what_a_stream_shows(model, task, pace, groups, latents, then):
    made, state = served(model, pace, groups, then=then)
    course, p = made.course, model.dit.preset
    start = course.group(state.done)[0]
    low, stop = start - course.context, start + course.at_once * pace.advance
    assert stop == latents
    anchors = made.anchors(state, stop)
    shown = [] if anchors is None else [*range(anchors.shape[2])]
    assert bool(shown) == (task == "refer")
    d = drawn(task, latents, (low, stop), course.context, shown)
    # the stream's latents as a clip of training
    known = canvas.tail(torch.cat(state.recent, dim=2), course.context)
    clips = torch.zeros(1, p.channels, latents, *known.shape[3:])
    clips[:, :, low:start] = known
    if anchors is not None:
        clips[:, :, : anchors.shape[2]] = anchors
    wide = d.freedom.expand(-1, -1, -1, *known.shape[3:])
    board = dit.cut(clips, dataclasses.replace(d, freedom=wide))
    lag = pace.lag is not None
    box = tokens.bag(board, patch=p.patch, chunk=p.chunk, per_frame=lag)
    paint, show = made.noise(low, stop)
    context = tokens.remember(
        model.dit, board, box, context_level=pace.context_level, noise=show
    )  # fmt: skip
    kept = made._context(state, stop, {})
    assert torch.equal(context.pos, kept.pos)
    for a, b in zip(context.keys + context.values, kept.keys + kept.values, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
    # words: one caption, or two spans of it
    starts = [at for at, _ in course.spans]
    heard = tuple((at, {}) for at in starts) if len(starts) > 1 else ()
    taught = SimpleNamespace(
        states=lambda _: made.states[0],
        spans=lambda _: list(zip(starts, made.states, strict=True)),
    )
    said = dit.words(taught, SimpleNamespace(spans=heard), d, SimpleNamespace(spans=1.0))  # type: ignore[arg-type]
    field = tokens.velocity(
        model.dit, board, box, dit.read(model.dit, said, box), context=context, noise=paint
    )
    stripes = made._velocity(board, low, lag, paint, kept, True)
    level = flow.schedule(4)[1]
    if lag:  # as in the middle of a tick
        level = made._sigmas(stop - start, pace.advance, pace.lag, course.context)[1]
    x = flow.noised(clips[:, :, low:stop], board.freedom, level, paint)
    ours, theirs = field(x, level, level), stripes(x, level, level)
    assert torch.allclose(ours, theirs, atol=1e-4) and ours.abs().max() > 0.01
    if len(starts) > 1:  # it matters which words are heard where
        deaf = tokens.velocity(
            model.dit, board, box, dit.read(model.dit, said[:1], box), context=context, noise=paint
        )
        assert not torch.allclose(deaf(x, level, level), theirs, atol=1e-4)


def test_windows_are_those_of_a_stream():
    assert canvas.WINDOWS[0] == Pace().window == 2 * Pace().advance


def test_rungs_are_the_levels_of_a_stream_with_a_lag(model):
    made, _ = served(model, Pace(window=12, advance=3, lag=2), 1)
    rows = made._sigmas(6, 3, 2, 6)[-3:, 6:]
    u = torch.tensor([[1.0], [0.5], [0.0]])
    ladder = dit.rungs(u, 2, model.settings.flow_shift).repeat_interleave(3, dim=1)
    assert torch.allclose(rows, ladder, atol=1e-6)


# A step's luck.


def test_what_is_off_leaves_the_luck_of_a_step_as_it_was(name):
    c = config(name)
    for step in range(12):
        g = torch.Generator().manual_seed(c.seed * 1_000_003 + step)
        noise = torch.randn(SHAPE, generator=g)
        sigma = flow.draw_levels(4, generator=g, mean=c.mean, std=c.std, shift=c.shift)[:, None]
        u = torch.rand(3, 4, generator=g)
        nothing = torch.zeros(4, 1, *SHAPE[2:])
        board = canvas.random(nothing, generator=g, tasks=c.tasks, soft=c.soft)
        d = dit.draw(SHAPE, c, step, Ranks())
        assert torch.equal(d.noise, noise) and torch.equal(d.sigma, sigma)
        assert torch.equal(d.context, torch.where(u[0] < 0.5, 0.0, 0.3 * u[1])[:, None])
        assert torch.equal(d.silent, u[2] < c.dropout)
        assert torch.equal(d.freedom, board.freedom)
        assert d.places.tolist() == [[*range(14)]] * 4 and not d.shown.numel()
        assert not d.again.numel() and not d.bound.any()


def test_all_luck_is_a_function_of_seed_and_step(name):
    c, seen = config(name, **ON), dict.fromkeys(("window", "shown", "own", "staggered", "bound"), 0)
    for step in range(40):
        torch.rand(3)
        one, again = (vars(dit.draw(SHAPE, c, step, Ranks())) for _ in range(2))
        half = (2, *SHAPE[1:])
        halves = [vars(dit.draw(half, c, step, Ranks(rank=rank, size=2))) for rank in range(2)]
        for key, value in one.items():
            assert torch.equal(value, again[key]), key
            assert torch.equal(value, torch.cat([h[key] for h in halves])), key
        d = dit.Draw(**one)
        latents = d.places.shape[1]
        assert d.noise.shape[2] == d.freedom.shape[2] == latents
        assert d.context.max() <= 0.5 and ((d.sigma > 0) & (d.sigma <= 1)).all()
        seen["window"] += latents < SHAPE[2]
        seen["shown"] += bool(d.shown.numel())
        seen["own"] += bool(d.again.numel())
        seen["bound"] += int(d.bound.sum())
        if d.sigma.shape[1] > 1:
            seen["staggered"] += 1
            assert d.sigma.shape == (4, latents) and (d.sigma.diff(dim=1) >= 0).all()
    assert all(count > 8 for count in seen.values()), seen


def test_two_ranks_take_the_step_of_one(name):
    """The same loss and the same gradient, with every option on."""
    c = config(name, **ON)
    one = learner(c)
    for step in range(5):
        grads, sums = [], []
        for rank, size in ((0, 1), (0, 2), (1, 2)):
            ranks = Ranks(rank=rank, size=size)
            own = batch(rows=ranks.share_of(4))
            flow_loss, dense_loss = dit.losses(one, own, c, step, ranks)
            one.both.zero_grad()
            (flow_loss + c.dense * dense_loss).backward()
            grads.append([p.grad.clone() for p in one.both.parameters() if p.grad is not None])
            sums.append(flow_loss.item())
        assert sums[0] == pytest.approx((sums[1] + sums[2]) / 2, rel=1e-4)
        for whole, a, b in zip(*grads, strict=True):
            assert whole.isfinite().all()
            assert torch.allclose(whole, (a + b) / 2, atol=1e-5 + 1e-3 * float(whole.abs().max()))


# What it does.


def test_what_is_kept_can_be_what_the_model_paints(name):
    c = config(name, **ON)
    one, own = learner(c), batch()
    painted = 0
    for step in range(30):
        d = dit.draw(SHAPE, c, step, Ranks())
        if not d.again.numel():
            continue
        board = dit.cut(own.latents, d)
        made = dit.repainted(one.model, board, dit.words(one, own, d, c), d)
        free = ~board.kept.expand_as(board.known)
        assert torch.equal(made.known[free], board.known[free])
        assert torch.equal(made.freedom, board.freedom) and made.references == board.references
        assert not made.known.requires_grad
        if board.kept.any():
            painted += 1
            gap = (made.known - board.known)[~free].abs()
            assert gap.isfinite().all() and gap.mean() > 0.1
        else:
            assert made is board
    assert painted > 4


def test_a_loss_falls_with_every_option_on(name):
    c = config(name, **ON, lr=1e-2, adam_lr=1e-2)
    one, own = learner(c), batch(2)
    few_latents = {"latents": own.latents[:, :, :7], "dense": own.dense[:, :7]}
    own = dataclasses.replace(own, **few_latents)

    def judged():
        with torch.no_grad():
            return sum(dit.losses(one, own, c, 1000 + s, Ranks())[0].item() for s in range(4))

    before = judged()
    for step in range(25):
        told = dit.learn(one, own, c, step, 1.0)
        assert torch.as_tensor(told["norm"]).isfinite()
    assert judged() < 0.9 * before


def test_a_phase_has_settings_of_its_own(name):
    c = config(name)
    late = dataclasses.replace(c.phases[1], settings={"tasks": {"refer": 1.0}, "own": 1.0})
    c = dataclasses.replace(c, phases=(c.phases[0], late))
    assert c.at(1) is c and c.at(2).tasks == c.at(7).tasks == {"refer": 1.0} and c.at(2).own == 1.0
    for wrong in ({"lr": 1.0}, {"juggle": 1.0}):
        with pytest.raises(ValueError, match="a phase cannot set"):
            dataclasses.replace(c, phases=(dataclasses.replace(late, settings=wrong),))
    with pytest.raises(ValueError, match="from 0 to 1"):
        dataclasses.replace(c, phases=(dataclasses.replace(late, settings={"own": 2.0}),))
    with pytest.raises(ValueError, match="hear the same words"):
        dataclasses.replace(c, spans=0.5, bypass=0.5)
    for changes in ({"context_level": 1.0}, {"staggered": -0.1}, {"context_exact": 1.5}):
        with pytest.raises(ValueError):
            dataclasses.replace(c, **changes)
    taught = recipe.load(name, "few")
    phase = Phase(steps=1, buckets=taught.phases[0].buckets, settings={"tasks": {"stream": 1.0}})
    with pytest.raises(RequestError, match="leave out stream"):
        few._check(dataclasses.replace(taught, phases=(phase,)))


def test_shards_of_several_shots_say_what_holds_when(tmp_path):
    """Of each clip's own shots, in the language that was chosen; one shot says one thing."""
    rng = torch.Generator().manual_seed(0)
    count, slots = 3, len(LABELS)
    shots = torch.randint(0, 2, (count, 2, 3, slots), generator=rng).byte().numpy()
    arrays = {
        "latents": torch.randn(count, 8, 6, 2, 2, generator=rng).half().numpy(),
        "dense": torch.rand(count, 6, 2, 2, len(clip.DENSE), generator=rng).half().numpy(),
        "labels": shots[:, 0, 0], "said": shots[:, :, 0], "shots": shots,
    }  # fmt: skip
    starts = [[0], [0, 2], [0, 1, 4]]
    records = [
        {"seed": i, "mirrored": False, "captions": [["a", "en"], ["b", "zh"]], "starts": starts[i]}
        for i in range(count)
    ]
    about = {"compressor": "tiny", "slots": list(LABELS), "still": False, "clips": records}
    clip.put(tmp_path / "shard-0", arrays, about)
    loader = Loader([Bucket(path=tmp_path, batch=3)], seed=0)
    for _ in range(4):
        made = next(loader)
        assert [start for start, _ in made.spans] == [0, 1, 2, 4]
        for row, (seed, text) in enumerate(zip(made.seeds, made.captions, strict=True)):
            for at, said in made.spans:
                part = sum(start <= at for start in starts[seed]) - 1
                held = [int(said[slot][row]) for slot in LABELS]
                assert held == shots[seed, "ab".index(text), part].tolist()
    halves = [Loader([Bucket(path=tmp_path, batch=3)], seed=0, rank=r, world=3) for r in range(3)]
    assert sorted(len(next(half).spans) for half in halves) == [0, 2, 3]


def test_the_transformer_reads_spans_in_training(name):
    c = config(name, **{**ON, "own": 0.0, "dropout": 0.0, "tasks": {"blank": 1.0}, "spans": 1.0})
    one, own = learner(c), batch()
    plain = dataclasses.replace(own, spans=())
    told = [dit.losses(one, b, c, 3, Ranks())[0].item() for b in (own, plain)]
    assert told[0] != told[1]
    off = dataclasses.replace(c, spans=0.0)
    told = [dit.losses(one, b, off, 3, Ranks())[0].item() for b in (own, plain)]
    assert told[0] == told[1]
