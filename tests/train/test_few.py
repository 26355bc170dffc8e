"""Laws of few steps: they start as the teacher, learn exact means, and bring the end nearer."""

import dataclasses

import pytest
import torch

from worldreel import canvas, checkpoint, flow, guidance, samplers
from worldreel.canvas import Canvas
from worldreel.cli import main as cli
from worldreel.data.loader import Loader
from worldreel.parallel import Ranks
from worldreel.train import course, few, recipe

pytestmark = pytest.mark.usefixtures("one_thread")
NOW = 1e-9  # minutes: stop after one step


@pytest.fixture(scope="module")
def name(tiny):
    return str(tiny / "tiny.py")


@pytest.fixture
def c(name):
    return dataclasses.replace(recipe.load(name, "few"), bf16=False)


@pytest.fixture
def teacher(c):
    return checkpoint.load_dit(c.teacher, dtype=c.dtype)


@pytest.fixture
def learner(c):
    return course.Learner(dataclasses.replace(c, start=c.teacher), Ranks())


def scene(c, learner, step=0, bucket=0, **changes):
    """A batch's canvas, words and luck."""
    c = dataclasses.replace(c, **changes)
    batch = next(Loader(c.phases[1].buckets[bucket : bucket + 1], seed=step))
    d = few.draw(tuple(batch.latents.shape), c, step, Ranks())
    return Canvas(known=batch.latents, freedom=d.freedom), learner.states(batch), d


@torch.no_grad()
def test_it_starts_as_its_teacher(c, teacher, learner):
    """Whatever it is asked to look ahead to, on what is kept and what is painted."""
    for task in ("blank", "first", "inpaint"):
        board, states, d = scene(c, learner, tasks={task: 1})
        x = canvas.start(board, d.noise, 0.7)
        one, other = (few.student(m, board, states, d) for m in (learner.model, teacher))
        for target in (0.7, 0.4, 0.0):
            levels = torch.full((len(x), 1), 0.7), torch.full((len(x), 1), target)
            assert torch.equal(one(x, *levels), other(x, *levels))


def test_a_walk_is_what_the_samplers_paint(c, teacher, learner):
    """Against guidance in two calls."""
    for task in ("blank", "first", "loosen"):
        board, states, d = scene(c, learner, tasks={task: 1})
        walked = few.walk(teacher, board, states, d, 3.0)
        silent = torch.ones(len(states), dtype=torch.bool)
        said = few.student(teacher, board, states, d)
        unsaid = few.student(teacher, board, states, d, silent)
        start = samplers.State(canvas.start(board, d.noise))
        velocity = guidance.cfg(said, unsaid, 3.0)
        rows = list(samplers.euler(velocity, start, d.sigmas, board.freedom))
        torch.testing.assert_close(walked[1:], torch.stack([row.x for row in rows]))
        kept = board.kept.expand_as(board.known)
        assert all(torch.equal(x[kept], board.known[kept]) for x in walked)


def test_what_is_wanted_leads_down_to_the_last_row(c, teacher, learner):
    """One step with the mean ends where the walk does; ways begin where they may."""
    seen = set()
    for step, task in enumerate(("blank", "first", "loosen", "inpaint") * 4):
        board, states, d = scene(c, learner, step, tasks={task: 1})
        walked = few.walk(teacher, board, states, d, 3.0)
        for update in range(c.updates):
            x, v = few.wanted(walked, board, d, update)
            i, j, asked = d.first[update], d.last[update], d.target[update]
            levels = (canvas.levels(board, d.sigmas[row][:, None]) for row in (i, j))
            ahead = flow.step(x, v, *levels)
            for clip, (a, b, t) in enumerate(
                zip(i.tolist(), j.tolist(), asked.tolist(), strict=True)
            ):
                assert torch.equal(x[clip], walked[a, clip])
                torch.testing.assert_close(ahead[clip], walked[b, clip], atol=1e-5, rtol=1e-4)
                seen.add((b - a, a % (b - a), t - a))
    # one row, asked for itself or the next; two, from every row
    assert seen == {(1, 0, 0), (1, 0, 1), (2, 0, 2), (2, 1, 2)}


def test_a_way_of_one_row_is_the_guided_velocity_itself(c, teacher, learner):
    board, states, d = scene(c, learner, tasks={"blank": 1}, counts={4: 1})
    walked = few.walk(teacher, board, states, d, 3.0)
    x, v = few.wanted(walked, board, d, 0)
    sigma = d.sigmas[d.first[0]][:, None]
    with torch.no_grad():
        silent = torch.ones(len(states), dtype=torch.bool)
        unsaid = few.student(teacher, board, states, d, silent)(x, sigma, sigma)
        said = few.student(teacher, board, states, d)(x, sigma, sigma)
    torch.testing.assert_close(v, unsaid + 3.0 * (said - unsaid), atol=1e-4, rtol=1e-3)


def test_a_steps_luck_is_a_function_of_seed_and_step(c):
    c = dataclasses.replace(c, updates=4)

    def values(step, rank=0, size=1):
        return vars(few.draw((4 // size, 8, 3, 2, 3), c, step, Ranks(rank=rank, size=size)))

    for step in range(8):
        torch.rand(3)  # no luck of the process gets in
        one, again = values(step), values(step)
        halves = [values(step, rank=rank, size=2) for rank in range(2)]
        for key, value in one.items():
            assert torch.equal(value, again[key])
            if key != "sigmas":  # the schedule is the same for all
                along = 1 if key in ("first", "last", "target") else 0
                assert torch.equal(value, torch.cat([half[key] for half in halves], dim=along))
        assert not torch.equal(one["noise"], values(step + 1)["noise"])
        assert (one["first"] < one["last"]).all() and (one["last"] <= c.walk_steps).all()
        assert one["sigmas"][0] == 1 and one["sigmas"][-1] == 0


def test_phases_go_from_short_ways_to_long_ones(c):
    """By their settings; where none begins between rows if all are aligned."""
    c = dataclasses.replace(c, updates=8, aligned=1.0)
    for step, longest in ((0, 1), (1, 2)):
        d = few.draw((4, 8, 3, 2, 3), c.at(step), step, Ranks())
        long = d.last - d.first
        assert long.max() == longest and (d.first % long == 0).all()


def files(folder):
    state = checkpoint.latest(folder)
    assert state is not None
    return state.name, checkpoint._config(state)["files"]


def test_stopping_after_every_step_changes_no_bit(name, tmp_path):
    """In bf16, at a phase's end too: weights, optimiser, average."""
    assert few.main(name, out=tmp_path / "whole") == {
        "step": 4, "of": 4, "out": str(tmp_path / "whole"),
    }  # fmt: skip
    for step in range(1, 5):
        assert few.main(name, out=tmp_path / "parts", minutes=NOW)["step"] == step
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    made = [checkpoint.load(tmp_path / n / "final", kind="dit") for n in ("parts", "whole")]
    assert all(torch.equal(made[0].tensors[k], made[1].tensors[k]) for k in made[0].tensors)
    told = made[1].provenance
    assert made[1].config["target"] and told["walk_steps"] == 4 and told["guidance_scale"] == 5.0
    assert told["start"] == checkpoint.load(recipe.load(name, "few").teacher, kind="dit").provenance
    assert (told["steps"], told["clips"], len(told["teacher"])) == (4, 16, 12)


def test_few_steps_come_nearer_to_many_guided_ones(c, teacher):
    """After 300 tiny updates, on noise not seen before: against the teacher's own 2 and 4 steps."""
    c = dataclasses.replace(
        c, walk_steps=12, counts={2: 1, 4: 1}, updates=12, lr=1.5e-3, adam_lr=3e-3, warmup=2,
        parts=1, ema=0.98, decay_share=0.8, tasks={"blank": 2, "first": 1},
        phases=(c.phases[0], dataclasses.replace(c.phases[1], steps=24)),
    )  # fmt: skip
    taught = course.Learner(dataclasses.replace(c, start=c.teacher), Ranks())
    loader = Loader([dataclasses.replace(b, batch=12) for b in c.phases[1].buckets], seed=0)
    for step in range(25):
        few.learn(taught, teacher, next(loader), c, step, tells=False)
    board, states, d = scene(c, taught, 1000)
    end = few.walk(teacher, board, states, d, c.guidance_scale)[-1]
    with taught.ema.swapped(), torch.no_grad():
        own = few.guided(teacher, board, states, d, c.guidance_scale)
        learned = few.student(taught.model, board, states, d)
        before = [few.gap(own, board, d, end, stride) for stride in (6, 3)]
        after = [few.gap(learned, board, d, end, stride) for stride in (6, 3)]
    assert after[0] < 0.5 * before[0]
    assert after[1] < before[1]


def test_the_command_line_teaches_few_steps(name, tmp_path, capsys):
    out = tmp_path / "run"
    args = ["train", "few", name, "--out", str(out), "--minutes", "1e-9", "--json"]
    assert cli(args) == 0
    assert '"stage": "few"' in capsys.readouterr().out
    assert cli([*args, "--set", "counts={3: 1}"]) == 2
    assert "counts must divide the 4 steps of a walk: not [3]" in capsys.readouterr().err
    assert cli([*args, "--set", "judged=3"]) == 2
    assert "counts must divide" in capsys.readouterr().err
    assert cli([*args, "--set", "parts=3"]) == 2
    assert "parts is 3: give 1 to 2" in capsys.readouterr().err
    assert cli([*args, "--set", "parts=3", "--set", "updates=3"]) == 2
    assert "4 clips a process do not divide into 3 parts" in capsys.readouterr().err
    assert cli([*args, "--set", "preset.target=False"]) == 2
    assert "preset.target=True" in capsys.readouterr().err
    assert cli(["train", "dit", name, "--out", str(out), "--minutes", "1e-9"]) == 2
    assert "not 'dit-run'" in capsys.readouterr().err
