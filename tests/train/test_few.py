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
    """Against guidance in two calls, without the means' own machinery."""
    for task in ("blank", "first", "loosen"):
        board, states, d = scene(c, learner, tasks={task: 1})
        walked = few.walk(teacher, board, states, d, 3.0)
        silent = torch.ones(len(states), dtype=torch.bool)
        said = few.student(teacher, board, states, d)
        unsaid = few.student(teacher, board, states, d, silent)
        start = samplers.State(canvas.start(board, d.noise))
        velocity = guidance.cfg(said, unsaid, 3.0)
        rows = list(samplers.euler(velocity, start, d.sigmas, board.freedom))
        torch.testing.assert_close(walked.x[1:], torch.stack([row.x for row in rows]))
        kept = board.kept.expand_as(board.known)
        assert all(torch.equal(x[kept], board.known[kept]) for x in walked.x)
        with torch.no_grad():
            torch.testing.assert_close(walked.unsaid[1], unsaid(walked.x[1], *[d.sigmas[1]] * 2))
            torch.testing.assert_close(walked.said[1], said(walked.x[1], *[d.sigmas[1]] * 2))


def test_what_is_wanted_leads_down_to_the_target(c, teacher, learner):
    """One step with the mean ends where the walk does; without words guidance has no say."""
    seen = set()
    for step, task in enumerate(("blank", "first", "loosen", "inpaint") * 3):
        board, states, d = scene(c, learner, step, tasks={task: 1}, plain=0.4)
        walked = few.walk(teacher, board, states, d, 3.0)
        for update in range(c.updates):
            x, v = few.wanted(walked, board, d, update)
            i, j = d.first[update], d.last[update]
            levels = (canvas.levels(board, d.sigmas[row][:, None]) for row in (i, j))
            ahead = flow.step(x, v, *levels)
            for clip, (a, b) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
                torch.testing.assert_close(ahead[clip], walked.x[b, clip], atol=1e-5, rtol=1e-4)
                silent = bool(d.silent[update, clip])
                seen.add((b - a, silent))
                if a == b:
                    told = walked.unsaid if silent else walked.said
                    assert torch.equal(v[clip], told[a, clip])
                else:
                    assert not silent and a % (b - a) == 0
    assert seen == {(0, False), (0, True), (1, False), (2, False)}


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
                along = 1 if key in ("first", "last", "silent") else 0
                assert torch.equal(value, torch.cat([half[key] for half in halves], dim=along))
        assert not torch.equal(one["noise"], values(step + 1)["noise"])
        assert int((one["first"] == one["last"]).sum()) == 4 and int(one["silent"].sum()) == 2
        assert one["sigmas"][0] == 1 and one["sigmas"][-1] == 0


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
    assert (told["steps"], told["clips"], len(told["teacher"])) == (4, 16, 12)


def test_few_steps_come_nearer_to_many_guided_ones(c, teacher):
    """After 300 tiny updates, on noise not seen before: against the teacher's own 2 and 4 steps."""
    c = dataclasses.replace(
        c, walk_steps=12, counts={2: 1, 4: 1}, updates=12, lr=1.5e-3, adam_lr=3e-3, warmup=2,
        ema=0.98, decay_share=0.8, tasks={"blank": 2, "first": 1},
        phases=(c.phases[0], dataclasses.replace(c.phases[1], steps=24)),
    )  # fmt: skip
    taught = course.Learner(dataclasses.replace(c, start=c.teacher), Ranks())
    loader = Loader([dataclasses.replace(b, batch=12) for b in c.phases[1].buckets], seed=0)
    for step in range(25):
        few.learn(taught, teacher, next(loader), c, step, tells=False)
    board, states, d = scene(c, taught, 1000)
    end = few.walk(teacher, board, states, d, c.guidance_scale).x[-1]
    with taught.ema.swapped(), torch.no_grad():
        own = few.guided(teacher, board, states, d, c.guidance_scale, [])
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
    assert cli([*args, "--set", "preset.target=False"]) == 2
    assert "preset.target=True" in capsys.readouterr().err
    assert cli(["train", "dit", name, "--out", str(out), "--minutes", "1e-9"]) == 2
    assert "not 'dit-run'" in capsys.readouterr().err
