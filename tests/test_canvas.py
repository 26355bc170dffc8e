"""Laws of the canvas: what each constructor keeps, and that training draws from the same ones."""

import dataclasses
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worldreel import canvas, flow
from worldreel.canvas import Canvas, blank, head, keep, loosen, refer, ring, tail
from worldreel.errors import RequestError

SHAPE = (2, 3, 5, 2, 4)  # B C T H W


def clip(seed: int = 0, shape=SHAPE) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.uint8)


def frames(board: Canvas) -> list[float]:
    """The freedom of each latent frame of the first clip, where it is the same all over."""
    freedom = board.freedom[0, 0].flatten(1)
    assert (freedom == freedom[:, :1]).all()
    return freedom[:, 0].tolist()


def test_blank_knows_nothing_and_paints_all():
    board = blank(SHAPE, dtype=torch.bfloat16)
    assert board.shape == SHAPE and board.known.dtype == torch.bfloat16
    assert not board.known.any() and (board.freedom == 1).all() and not board.kept.any()
    assert not board.ring and ring(SHAPE).ring and (ring(SHAPE).freedom == 1).all()


def test_a_canvas_is_frozen_and_asks_for_names():
    with pytest.raises(dataclasses.FrozenInstanceError):
        blank(SHAPE).ring = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        Canvas(clip(), torch.ones(2, 1, 5, 2, 4))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("at", "length", "expected"),
    [
        (0, 1, [0, 1, 1, 1, 1]),
        (0, 2, [0, 0, 1, 1, 1]),
        (2, 1, [1, 1, 0, 1, 1]),
        (-1, 1, [1, 1, 1, 1, 0]),
        (-3, 3, [1, 1, 0, 0, 0]),
        (-5, 2, [0, 0, 1, 1, 1]),
        (0, 5, [0, 0, 0, 0, 0]),
    ],
)
def test_keep_puts_latents_where_it_is_told(at, length, expected):
    source, empty = clip(), blank(SHAPE)
    board = keep(empty, head(source, length), at=at)
    assert frames(board) == expected
    first = expected.index(0)
    assert torch.equal(bits(board.known[:, :, first : first + length]), bits(head(source, length)))
    assert not board.known[:, :, torch.tensor(expected) == 1].any()
    assert not empty.known.any() and (empty.freedom == 1).all()  # the canvas given is left alone


def test_one_clip_can_be_kept_on_all_the_canvases_of_a_batch():
    still = clip(shape=(1, 3, 1, 2, 4))
    board = keep(blank(SHAPE), still, at=1)
    assert torch.equal(board.known[:, :, 1:2], still.expand(2, -1, -1, -1, -1))


def test_strength_is_one_minus_freedom_for_a_keyframe_and_freedom_for_an_edit():
    source = clip()
    assert frames(keep(blank(SHAPE), head(source, 1), at=3, strength=0.75)) == [1, 1, 1, 0.25, 1]
    fading = torch.tensor([1.0, 0.75, 0.5])
    assert frames(keep(blank(SHAPE), head(source, 3), strength=fading)) == [0, 0.25, 0.5, 1, 1]
    assert frames(loosen(source, 0.25)) == [0.25] * 5
    assert loosen(source, 0.25).known is source
    each = loosen(source, torch.tensor([[0.25], [0.75]])).freedom
    assert (each[0] == 0.25).all() and (each[1] == 0.75).all()


def test_connect_keeps_the_end_of_one_clip_and_the_beginning_of_another():
    a, b = clip(1), clip(2)
    board = keep(keep(blank(SHAPE), tail(a, 2)), head(b, 1), at=-1)
    assert frames(board) == [0, 0, 1, 1, 0]
    assert torch.equal(board.known[:, :, :2], a[:, :, 3:])
    assert torch.equal(board.known[:, :, 4], b[:, :, 0])


def test_a_mask_keeps_what_it_marks_and_leaves_the_rest():
    source, where = clip(), torch.zeros(2, 1, 5, 2, 4, dtype=torch.bool)
    where[0, :, :3, :, 1:], where[1, :, 2] = True, True
    board = keep(blank(SHAPE), source, where=where)
    assert torch.equal(board.kept, where)
    assert torch.equal(board.known, torch.where(where, source, 0))
    again = keep(loosen(source, 0.5), source, where=where[:1])  # one mask for all clips
    assert torch.equal(again.kept, where[:1].expand_as(again.kept))
    assert set(again.freedom.unique().tolist()) == {0, 0.5}


def test_references_are_added_one_by_one_and_change_nothing_else():
    board = refer(refer(blank(SHAPE), clip(1)[:, :, :1]), clip(2)[:, :, :2])
    assert [r.shape for r in board.references] == [(2, 3, 1, 2, 4)] * 3
    assert torch.equal(board.references[2], clip(2)[:, :, 1:2])
    assert frames(board) == [1] * 5
    assert len(keep(board, clip()).references) == 3


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: keep(blank(SHAPE), clip(), at=1), "1 to 6"),
        (lambda: keep(blank(SHAPE), head(clip(), 2), at=-1), "4 to 6"),
        (lambda: keep(blank(SHAPE), head(clip(), 1), at=-6), "-1 to 0"),
        (lambda: keep(blank(SHAPE), clip()[..., :3]), "resize"),
        (lambda: keep(blank(SHAPE), clip()[:, :2]), "length only"),
        (lambda: keep(blank(SHAPE), clip(), where=torch.ones(2, 1, 5, 2, 4)), "booleans"),
        (lambda: keep(blank(SHAPE), head(clip(), 1), where=torch.ones(1, 1, 5, 2, 4) > 0), "mask"),
        (lambda: keep(blank(SHAPE), head(clip(), 1), strength=1.5), "between 0"),
        (lambda: loosen(clip(), -0.1), "check the strength"),
        (lambda: loosen(clip(), float("nan")), "check the strength"),
        (lambda: head(clip(), 6), "6 latents"),
        (lambda: tail(clip(), 0), "0 latents"),
    ],
)
def test_what_a_person_gets_wrong_is_said(ask, says):
    with pytest.raises(RequestError, match=says):
        ask()


def test_one_latent_frame_takes_zero_and_one_other_value():
    freedom = torch.ones(2, 1, 5, 2, 4)
    freedom[1, :, 3, 0], freedom[1, :, 2] = 0, 0.5
    Canvas(known=clip(), freedom=freedom)  # frames differ from each other, that is allowed
    freedom[1, :, 3, 0] = 0.5
    with pytest.raises(ValueError, match="latent frame 3 of clip 1 .* 0.5 and 1"):
        Canvas(known=clip(), freedom=freedom)
    half = torch.zeros(1, 1, 5, 2, 4, dtype=torch.bool)
    half[..., 0] = True
    with pytest.raises(ValueError, match="at most one other value"):
        keep(blank(SHAPE), clip(), where=half, strength=0.5)


@pytest.mark.parametrize(
    "fields",
    [
        {"known": clip()[0], "freedom": torch.ones(2, 1, 5, 2, 4)},
        {"known": clip().long(), "freedom": torch.ones(2, 1, 5, 2, 4)},
        {"known": clip(), "freedom": torch.ones(2, 3, 5, 2, 4)},
        {"known": clip(), "freedom": torch.ones(2, 1, 5, 2, 4) > 0},
        {
            "known": clip(),
            "freedom": torch.ones(2, 1, 5, 2, 4),
            "references": (clip()[:, :, :2],),
        },
    ],
)
def test_shapes_and_types_are_checked(fields):
    with pytest.raises(ValueError, match="give"):
        Canvas(**fields)


def test_start_and_levels_are_the_one_formula():
    source, noise = clip(), clip(1)
    board = keep(loosen(source, 0.5), head(source, 2))
    start = canvas.start(board, noise)
    assert torch.equal(bits(start[:, :, :2]), bits(source[:, :, :2]))
    torch.testing.assert_close(start[:, :, 2:], (source + noise)[:, :, 2:] / 2)
    sigma = torch.tensor([[0.5], [1.0]])
    assert torch.equal(canvas.levels(board, sigma), flow.level(sigma, board.freedom))
    assert torch.equal(canvas.start(blank(SHAPE), noise), noise)


# Pixels and seconds.


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 1 / 3, (0, 1)),
        (1 / 3, 2 / 3, (1, 2)),
        (0.33, 0.67, (1, 2)),  # a person's thirds go to the nearest frame
        (0.3, 0.7, (1, 2)),
        (0.25, 0.75, (0, 3)),
        (0.1 * 3, 5 / 3, (1, 5)),
        (0.5, 0.501, (1, 2)),  # at least one frame remains
        (1.666, 1.6666, (4, 5)),
        (0, 5 / 3, (0, 5)),
    ],
)
def test_a_span_of_seconds_widens_to_whole_latents(start, stop, expected):
    assert canvas.latent_span(start, stop, fps=12, frames_per_latent=4, T=5) == expected


@settings(max_examples=60, deadline=None)
@given(f0=st.integers(0, 19), length=st.integers(1, 20), first_frame=st.booleans())
def test_a_widened_span_covers_its_frames_and_no_latent_more(f0, length, first_frame):
    num_frames = 17 if first_frame else 20
    owner = [(f + 3 * first_frame) // 4 for f in range(num_frames)]  # of each frame
    f0 = min(f0, num_frames - 1)
    f1 = min(f0 + length, num_frames)
    span = canvas.latent_span(
        f0 / 12, f1 / 12, fps=12, frames_per_latent=4, T=5, first_frame=first_frame
    )
    assert list(range(*span)) == sorted(set(owner[f0:f1]))


@pytest.mark.parametrize(
    "span", [(-0.1, 1), (1, 1), (1, 0.5), (0, 1.8), (float("nan"), 1), (0, float("inf"))]
)
def test_a_span_outside_the_clip_is_refused(span):
    with pytest.raises(RequestError, match="a clip of 1.66667 s"):
        canvas.latent_span(*span, fps=12, frames_per_latent=4, T=5)


def test_a_latent_is_free_when_any_of_its_pixels_is():
    pixels = torch.zeros(8, 32, 48)
    pixels[5, 17, 47] = 1
    free = canvas.latent_mask(pixels)
    assert free.shape == (1, 1, 2, 2, 3) and free.dtype == torch.bool
    assert free.nonzero().tolist() == [[0, 0, 1, 1, 2]]
    assert canvas.latent_mask(pixels[5:6], stride=(1, 16, 16)).shape == (1, 1, 1, 2, 3)
    with pytest.raises(RequestError, match="multiples"):
        canvas.latent_mask(pixels[:7])


def test_a_mask_whose_first_latent_is_one_frame():
    pixels = torch.zeros(5, 8, 8, dtype=torch.bool)
    pixels[0] = True
    free = canvas.latent_mask(pixels, stride=(4, 8, 8), first_frame=True)
    assert free.flatten().tolist() == [True, False]
    free = canvas.latent_mask(~pixels, stride=(4, 8, 8), first_frame=True)
    assert free.flatten().tolist() == [False, True]


# Training's canvases.


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [SHAPE, (3, 2, 1, 2, 2), (1, 2, 2, 1, 3), (2, 1, 3, 3, 1)])
@pytest.mark.parametrize("task", canvas.DRAWS)
def test_each_task_keeps_the_same_latents_in_all_clips_and_leaves_some_to_paint(task, shape):
    clean, weight, draw = clip(shape=shape), {task: 1.0}, seeded(0)
    if canvas.DRAWS[task][2] > shape[2]:
        with pytest.raises(ValueError, match="give blank a weight"):
            canvas.random(clean, generator=draw, tasks=weight)
        return
    for i in range(20):
        board = canvas.random(clean, generator=draw, tasks=weight, soft=0.5, ring=i % 2 == 1)
        assert torch.equal(board.kept, board.kept[:1].expand_as(board.kept))
        assert (board.freedom > 0).any() and board.ring == (i % 2 == 1)
        if task not in canvas.CUTS:
            assert torch.equal(bits(board.known), bits(clean)) and not board.references
        hard = canvas.random(clean, generator=draw, tasks=weight, soft=0.0)
        assert hard.kept.any() == (task not in ("blank", "loosen"))
        if task != "loosen":
            assert set(hard.freedom.unique().tolist()) <= {0, 1}


def test_each_task_keeps_what_its_name_says():
    def drawn(task):
        source, draw = clip(), seeded(1)
        return [
            canvas.random(source, generator=draw, tasks={task: 1.0}, soft=0.0) for _ in range(30)
        ]

    assert all(frames(b) == [1] * 5 for b in drawn("blank"))
    assert all(frames(b) == [0, 1, 1, 1, 1] for b in drawn("first"))
    assert all(frames(b) == [0, 1, 1, 1, 0] for b in drawn("first_and_last"))
    assert {tuple(frames(b)) for b in drawn("extend")} == {
        tuple([0] * k + [1] * (5 - k)) for k in range(1, 5)
    }
    assert {tuple(frames(b)) for b in drawn("backward")} == {
        tuple([1] * (5 - k) + [0] * k) for k in range(1, 5)
    }
    for board in drawn("connect"):
        assert frames(board)[0] == frames(board)[-1] == 0 and 1 in frames(board)
    for board in drawn("span"):  # one run of painted latents
        assert "".join(str(int(f)) for f in frames(board)).strip("0").count("0") == 0
    assert len({tuple(frames(b)) for b in drawn("keyframes")}) > 8
    for task in ("inpaint", "outpaint"):
        for board in drawn(task):
            inside = (board.freedom[0, 0] > 0) ^ (task == "outpaint")
            assert (inside == inside[:1]).all()
            rows, columns = inside[0].any(1), inside[0].any(0)
            assert torch.equal(inside[0], rows[:, None] & columns) and inside.any()


def test_a_stream_is_cut_anywhere_and_keeps_the_first_half():
    source, draw, seen = clip(shape=(1, 1, 15, 1, 1)), seeded(1), Counter()
    source[0, 0, :, 0, 0] = torch.arange(15)
    for _ in range(200):
        board = canvas.random(source, generator=draw, tasks={"stream": 1.0}, soft=0.0)
        first, count = int(board.known[0, 0, 0, 0, 0]), board.shape[2]
        assert torch.equal(board.known, source[:, :, first : first + count])
        assert frames(board) == [0] * (count // 2) + [1] * (count // 2) and not board.references
        seen[count, first] += 1
    assert set(seen) == {(6, at) for at in range(10)} | {(12, at) for at in range(4)}
    short = canvas.random(source[:, :, :5], generator=draw, tasks={"stream": 1.0}, soft=0.0)
    assert frames(short) == [0, 0, 1, 1, 1]


def test_references_come_from_outside_the_window_mostly_from_the_beginning():
    source, draw, seen = clip(shape=(1, 1, 15, 1, 1)), seeded(2), Counter()
    source[0, 0, :, 0, 0] = torch.arange(15)
    for _ in range(400):
        board = canvas.random(source, generator=draw, tasks={"refer": 1.0}, soft=0.0)
        known, half = board.known[0, 0, :, 0, 0].tolist(), board.shape[2] // 2
        shown = [r.item() for r in board.references]
        assert board.shape[2] in canvas.WINDOWS and known[0] > 0
        assert 1 <= len(shown) <= 4 and len({*shown, *known}) == len(shown) + len(known)
        kept = int((board.freedom == 0).sum())
        assert frames(board) == [0] * kept + [1] * (2 * half - kept) and 0 < kept < 2 * half
        seen["half"] += kept == half
        seen["one"] += len(shown) == 1
        seen["anchor"] += shown == [*range(len(shown))]
        seen["later"] += max(shown) > known[-1]
    assert 220 < seen["half"] < 320 and 220 < seen["one"] < 340
    assert 260 < seen["anchor"] < 360 and seen["later"] > 20


def test_the_default_mixture_is_half_blank_and_a_fifth_fractional():
    source, draw, count = clip(), seeded(2), Counter()
    for _ in range(1500):
        freedom = canvas.random(source, generator=draw).freedom
        fractional = ((freedom > 0) & (freedom < 1)).flatten(1).any(1)
        assert fractional.all() or not fractional.any()
        count["fractional"] += int(fractional.all())
        count["blank"] += bool((freedom == 1).all())
    assert sum(canvas.TASKS.values()) == pytest.approx(1)
    assert count["blank"] / 1500 == pytest.approx(0.5, abs=0.05)
    assert count["fractional"] / 1500 == pytest.approx(0.2, abs=0.04)


def test_fractions_differ_between_clips():
    freedom = canvas.random(clip(), generator=seeded(3), tasks={"loosen": 1.0}).freedom
    assert freedom[0].unique().numel() == freedom[1].unique().numel() == 1
    assert freedom[0, 0, 0, 0, 0] != freedom[1, 0, 0, 0, 0]


def test_the_same_seed_draws_the_same_canvas():
    source = clip()
    for seed in range(20):
        one, other = (canvas.random(source, generator=seeded(seed)) for _ in range(2))
        assert torch.equal(bits(one.freedom), bits(other.freedom))


def test_an_unknown_task_is_an_error():
    with pytest.raises(ValueError, match="unknown tasks .'juggle'."):
        canvas.random(clip(), generator=seeded(0), tasks={"juggle": 1.0})
