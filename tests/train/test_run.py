"""Laws of a run's folder: under which recipe it was trained, and where that was changed."""

import dataclasses
import signal
import threading

import pytest

from worldreel import checkpoint
from worldreel.checkpoint import Loaded
from worldreel.parallel import Ranks
from worldreel.train import compressor, dit, recipe, run, text

pytestmark = pytest.mark.usefixtures("one_thread")
NOW = 1e-9  # minutes: stop after one step


@pytest.fixture(scope="module")
def name(tiny):
    return str(tiny / "tiny.py")


def held(c, step=3, **extra):
    state = {"step": step, "told": run.kept(c, None, Ranks()), **extra}
    return Loaded(kind="dit-run", config={}, tensors={}, provenance={}, extra=state)


def test_what_differs_is_named_wherever_it_is(name, capsys):
    c = recipe.load(name, "dit")
    assert run.kept(c, held(c), Ranks()) == run.kept(c, None, Ranks())
    one = dataclasses.replace(c.phases[1], steps=c.phases[1].steps + 5)
    new = dataclasses.replace(c, lr=0.25, phases=(c.phases[0], one), save_every=1.0, jobs=7)
    made = run.kept(new, held(c), Ranks())
    wanted = {"lr": [c.lr, 0.25], "phases.1.steps": [c.phases[1].steps, one.steps]}
    assert made["changed"] == [{"step": 3, "settings": wanted}]
    err = capsys.readouterr().err
    assert f"changed at step 3: lr: {c.lr} is now 0.25, phases.1.steps:" in err
    assert err.count("\n") == 1 and "jobs" not in err
    again = run.kept(new, held(c, step=4, told=made), Ranks())
    assert again["changed"] == made["changed"] and not capsys.readouterr().err
    fewer = dataclasses.replace(new, phases=new.phases[:1])
    last = run.kept(fewer, held(c, step=5, told=made), Ranks())["changed"]
    assert [one["step"] for one in last] == [3, 5] and last[0] == made["changed"][0]
    assert last[1]["settings"]["phases.1.steps"] == [one.steps, None]
    assert "more\n" in capsys.readouterr().err


def test_a_state_of_before_tells_of_no_change(name, capsys):
    c = recipe.load(name, "dit")
    state = Loaded(kind="dit-run", config={}, tensors={}, provenance={}, extra={"step": 3})
    assert run.kept(c, state, Ranks())["changed"] == [] and not capsys.readouterr().err


def test_other_ranks_keep_it_and_say_nothing(name, capsys):
    c = recipe.load(name, "dit")
    made = run.kept(dataclasses.replace(c, lr=0.25), held(c), Ranks(rank=1, size=2))
    assert made["changed"] and not capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "kind"), [(text, "text"), (compressor, "compressor"), (dit, "dit")]
)
def test_weights_say_that_their_recipe_was_changed(stage, kind, name, tmp_path, capsys):
    stage.main(name, out=tmp_path, minutes=NOW)
    before = recipe.load(name, kind).lr
    assert "changed" not in checkpoint.load(tmp_path / "final", kind=kind).provenance
    stage.main(name, out=tmp_path, minutes=NOW, overrides={"lr": "0.001"})
    assert f"at step 1: lr: {before} is now 0.001" in capsys.readouterr().err
    wanted = [{"step": 1, "settings": {"lr": [before, 0.001]}}]
    assert checkpoint.load(tmp_path / "final", kind=kind).provenance["changed"] == wanted
    stage.main(name, out=tmp_path, minutes=NOW, overrides={"lr": "0.001"})
    assert checkpoint.load(tmp_path / "final", kind=kind).provenance["changed"] == wanted
    assert "is now" not in capsys.readouterr().err


@pytest.fixture
def terminated():
    """What SIGTERM ended, instead of this process."""
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("ended"))
    yield seen
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_heeded_after_the_step_and_takes_effect_at_the_end(terminated, capfd):
    handler = signal.getsignal(signal.SIGTERM)
    with run.allowed(None, Ranks()) as late:
        assert not late()
        signal.raise_signal(signal.SIGTERM)
        assert late() and not terminated
    assert terminated == ["ended"] and signal.getsignal(signal.SIGTERM) is handler
    assert capfd.readouterr().err == "\nending after this step, which is saved\n"


def test_ctrl_c_interrupts_when_the_step_is_saved(capfd):
    saved = []
    with pytest.raises(KeyboardInterrupt), run.allowed(None, Ranks()) as late:
        signal.raise_signal(signal.SIGINT)
        saved.append(late())
    assert saved == [True] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt), run.allowed(None, Ranks()):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        saved.append("not reached")
    assert saved == [True] and capfd.readouterr().err.count("ending") == 2


def test_what_is_ignored_stays_ignored_and_other_threads_hear_nothing(terminated):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nohup does so with another signal
    with run.allowed(None, Ranks()) as late:
        signal.raise_signal(signal.SIGTERM)
        assert not late()
    found = []

    def elsewhere():
        with run.allowed(1e-9, Ranks()) as late:
            found.append(late())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [True]


def test_an_error_is_not_hidden_by_a_signal(terminated):
    with pytest.raises(ZeroDivisionError), run.allowed(None, Ranks()):
        signal.raise_signal(signal.SIGTERM)
        _ = 1 / 0
    assert not terminated


@pytest.mark.parametrize("stage", [text, compressor, dit])
def test_a_run_that_is_told_to_end_saves_its_last_step(
    stage, name, tmp_path, monkeypatch, terminated
):
    asked, real = [], Ranks.agree

    def agree(self, flag):
        asked.append(flag)
        if len(asked) == 2:
            signal.raise_signal(signal.SIGTERM)
        return real(self, flag)

    monkeypatch.setattr(Ranks, "agree", agree)
    answer = stage.main(name, out=tmp_path, overrides={"save_every": "1e9"})
    assert answer["step"] == 3 and terminated == ["ended"]
    assert [file.name for file in tmp_path.glob("step-*")] == ["step-000000003"]
    monkeypatch.undo()
    assert stage.main(name, out=tmp_path)["step"] == answer["of"]
