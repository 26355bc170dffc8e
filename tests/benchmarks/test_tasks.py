"""Every task runs and is measured, on a tiny random model; its figures mean what they say."""

import json

import numpy as np
import pytest

from benchmarks import tasks
from worldreel import engine
from worldreel.eval import probes
from worldreel.eval.cases import FRAMES, SIZE
from worldreel.world.facts import Fact

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scene(tiny_model):
    width, height = SIZE
    real = np.full((FRAMES, height, width, 3), 90, np.uint8)
    for frame in range(FRAMES):
        real[frame, 30:50, 10 + 4 * frame : 30 + 4 * frame] = (220, 40, 40)
    return tasks.Given(
        engine=engine.load(tiny_model),
        prompt="a red ball",
        facts=(Fact("kind", (0,), "ball"), Fact("color", (0,), "red")),
        real=real,
        other="a blue cube",
        other_facts=(Fact("kind", (0,), "cube"),),
        seed=7,
        steps=1,
    )


def test_every_task_is_measured_and_shown(scene, tmp_path):
    made = {}
    for task in tasks.TASKS:
        rulers = probes.load() if task.name == "text to image" else None
        made[task.name] = tasks.measured(
            task, [scene], rulers, strip=tmp_path / f"{tasks.slug(task)}.png"
        )
        (clip,) = made[task.name]["clips"]
        assert clip["frames"] == max(task.new[1], FRAMES if task.moves else 1)
        assert ("seam" in clip) == bool(task.seams) and ("kept" in clip) == bool(task.kept)
    assert set(made["text to image"]["summary"]) == {"colour", "kind"}
    about = {"model": "tiny", "count": 1, "first_seed": 7, "world": "small", "size": SIZE}
    held = {"about": about | {"steps": 1}, "tasks": made}
    tasks.publish(held, tmp_path, tmp_path / "docs")
    text = (tmp_path / "docs/tasks.md").read_text()
    assert text.count("| `".replace("| ", "<br>")) == len(tasks.TASKS)
    assert len(list((tmp_path / "docs/tasks").iterdir())) == len(tasks.TASKS)


def test_a_run_goes_on_and_refuses_another(tmp_path):
    file = tmp_path / "out/tasks.json"
    held = tasks.opened(file, {"count": 2})
    held["tasks"]["extend"] = {"summary": {}}
    tasks.write_json(file, held)
    assert tasks.opened(file, {"count": 2}) == json.loads(file.read_text()) == held
    with pytest.raises(SystemExit, match="another count"):
        tasks.opened(file, {"count": 3})


def test_a_jump_is_found_where_it_is(scene):
    frames = scene.real.copy()
    assert tasks.jump(frames, tasks.Seam(at=12)) == pytest.approx(1, abs=0.1)
    frames[12:] = np.minimum(frames[12:] + 60, 255)
    assert tasks.jump(frames, tasks.Seam(at=12)) > 5 > tasks.jump(frames, tasks.Seam(at=8))
    assert tasks.jump(frames, tasks.Seam(at=0)) > 5  # the last beside the first
    part = scene.real.copy()
    part[:, :, 32:112] = 0
    edge = tasks.Seam(at=32, axis=2)
    assert tasks.jump(part, edge) > 5 > tasks.jump(scene.real, edge)


def test_motion_is_of_what_is_new_and_within_latents(scene):
    task = next(task for task in tasks.TASKS if task.name == "extend")
    frozen, jerky = scene.real.copy(), scene.real.copy()
    frozen[12:] = frozen[12]
    jerky[12:] = (
        jerky[12:].reshape(3, 4, *jerky.shape[1:])[:, :1].repeat(4, 1).reshape(12, 80, 144, 3)
    )
    assert tasks.motion(task, scene.real) > tasks.STILL
    assert tasks.motion(task, frozen) == tasks.motion(task, jerky) == 0
