"""What every test shares: one thread count, deterministic kernels, no timing and no luck."""

import dataclasses
import json
import os
import tempfile
import textwrap

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch

import hypothesis
import numpy as np
import pytest
import torch

# Law 9 is about the same thread count, and a test must not take a shared machine for itself.
torch.set_num_threads(min(2, os.cpu_count() or 1))
torch.use_deterministic_algorithms(True)

hypothesis.settings.register_profile("laws", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("laws")


def pytest_configure(config):
    """Nobody's own settings are read nor written: the key that tests sign with is made for them."""
    home = tempfile.TemporaryDirectory()
    config.add_cleanup(home.cleanup)
    os.environ |= {"XDG_CONFIG_HOME": home.name, "APPDATA": home.name}
    for name in ("WORLDREEL_MARK", "WORLDREEL_CERT", "WORLDREEL_KEY"):
        os.environ.pop(name, None)


@pytest.fixture
def one_thread():
    """Matrices this small are slower in several threads, much slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(stages):
    """`stages`, by the name that it has where no other thing is called tiny."""
    return stages


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """A folder with a recipe of seconds, `tiny.py`, and all that its stages train on."""
    from worldreel import checkpoint
    from worldreel.data import clip
    from worldreel.models import presets
    from worldreel.models.dit import DiT
    from worldreel.models.presets import TextPreset
    from worldreel.models.text import TextEncoder
    from worldreel.train.text import lexicon
    from worldreel.world.labels import LABELS

    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 8, 4, 6, 3), np.uint8).repeat(8, 2).repeat(8, 3)
    ids = np.zeros(frames.shape[:-1], np.uint8)
    ids[:, :, 8:20, 8:20] = 1
    clip.put(folder / "raw/shard-0", {"frames": frames, "ids": ids}, {"clips": []})
    said = [["a red ball", "en"], ["\u4e00\u4e2a\u7ea2\u8272\u7684\u7403", "zh"]]
    for name, shape in (("stills", (1, 2, 2)), ("short", (3, 2, 3)), ("long", (4, 2, 2))):
        arrays = {
            "latents": rng.standard_normal((6, 8, *shape)).astype(np.float16),
            "dense": rng.random((6, *shape, len(clip.DENSE))).astype(np.float16),
            "labels": np.zeros((6, len(LABELS)), np.uint8),
            "said": np.zeros((6, 2, len(LABELS)), np.uint8),
        }
        clips = [{"seed": i, "mirrored": False, "captions": said} for i in range(6)]
        about = {"compressor": "tiny", "slots": list(LABELS), "still": name == "stills"}
        clip.put(folder / name / "shard-0", arrays, about | {"clips": clips})
    preset = TextPreset(slots=len(LABELS), dim=16, heads=2, layers=1, out_dim=16)
    labels = {k: tuple(v) for k, v in LABELS.items()}
    text = TextEncoder(preset, lexicon(), labels).init(torch.Generator().manual_seed(0))
    config = {"preset": vars(preset), "lexicon": list(text.lexicon.words), "labels": LABELS}
    checkpoint.save(folder / "text", kind="text", config=config, tensors=text.state_dict())
    teacher = _randomize(DiT(presets.TINY_DIT), 7)
    about = dataclasses.asdict(presets.TINY_DIT)
    checkpoint.save(folder / "teacher", kind="dit", config=about, tensors=teacher.state_dict())
    (folder / "tiny.py").write_text(textwrap.dedent(_RECIPE))
    return folder


_RECIPE = """
    from dataclasses import replace
    from pathlib import Path

    from worldreel.data.loader import Bucket
    from worldreel.models import presets
    from worldreel.train import compressor as compressor_stage
    from worldreel.train import dit as dit_stage
    from worldreel.train import few as few_stage
    from worldreel.train import text as text_stage
    from worldreel.world.labels import LABELS

    HERE = Path(__file__).parent


    def text():
        preset = presets.TextPreset(slots=len(LABELS), dim=16, heads=2, layers=1, out_dim=16)
        return text_stage.Config(
            preset=preset, first_seed=1_000_000, scenes=4, judged=2, steps=4, batch=4,
            bf16=False, save_every=0.0,
        )


    def compressor():
        return compressor_stage.Config(
            preset=presets.TINY_COMPRESSOR, data=(str(HERE / "raw"),), steps=4, batch=4,
            crop=(2, 2), equivariance=0.5, save_every=0.0,
        )


    def bucket(name, weight=1.0):
        return Bucket(path=HERE / name, weight=weight, batch=4)


    def dit():
        return dit_stage.Config(
            preset=presets.TINY_DIT,
            phases=(
                dit_stage.Phase(steps=2, buckets=(bucket("stills"),)),
                dit_stage.Phase(steps=6, buckets=(bucket("short", 0.6), bucket("long", 0.4))),
            ),
            text=str(HERE / "text"),
            tasks={"blank": 1, "first": 2, "inpaint": 2, "keyframes": 2, "loosen": 1},
            soft=0.5, dropout=0.3, warmup=2, compile=False, save_every=0.0,
        )


    def few():
        return few_stage.Config(
            preset=replace(presets.TINY_DIT, target=True), teacher=str(HERE / "teacher"),
            phases=(
                few_stage.Phase(
                    steps=1, buckets=(bucket("stills"),), settings={"counts": {4: 1}}
                ),
                few_stage.Phase(steps=3, buckets=(bucket("short", 0.6), bucket("long", 0.4))),
            ),
            text=str(HERE / "text"),
            tasks={"blank": 1, "first": 2, "inpaint": 2, "keyframes": 2, "loosen": 1},
            soft=0.5, walk_steps=4, counts={2: 1, 4: 1}, updates=2, parts=2, warmup=2,
            compile=False, save_every=0.0,
        )
"""


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A folder with a tiny random model, `tiny`, that knows a few words of both languages."""
    from worldreel import checkpoint
    from worldreel.models import presets
    from worldreel.models.compressor import Compressor
    from worldreel.models.dit import DiT
    from worldreel.models.text import Lexicon, TextEncoder

    folder = tmp_path_factory.mktemp("model")
    words = ("a", "ball", "red", "blue", "cube", "rolls", "红色", "球", "滚动")
    labels = {slot: ("unsaid", "x", "y") for slot in ("kind", "color", "setting", "side")}
    text = TextEncoder(presets.TINY_TEXT, Lexicon(words), labels)
    _randomize(text.init(torch.Generator().manual_seed(1)), 1)
    for head in text.heads:  # sure of what it reads, as a trained one is
        head.weight.data *= 20
    dit = _randomize(DiT(presets.TINY_DIT), 2)
    compressor = _randomize(Compressor(presets.TINY_COMPRESSOR), 3, std=0.05)
    generator = torch.Generator().manual_seed(4)
    compressor.get_buffer("basis").normal_(std=0.03, generator=generator)
    config = {
        "preset": dataclasses.asdict(presets.TINY_TEXT),
        "lexicon": list(words),
        "labels": {slot: list(values) for slot, values in labels.items()},
    }
    parts = {
        "text": (text, config),
        "dit": (dit, dataclasses.asdict(presets.TINY_DIT)),
        "compressor": (compressor, dataclasses.asdict(presets.TINY_COMPRESSOR)),
    }
    for kind, (net, held) in parts.items():
        checkpoint.save(folder / kind, kind=kind, config=held, tensors=net.state_dict())
    settings = dataclasses.asdict(presets.Settings(name="tiny"))
    (folder / "model.json").write_text(json.dumps(settings))
    return folder


def _randomize(net: torch.nn.Module, seed: int, std: float = 0.15) -> torch.nn.Module:
    """No zeros: every path must count."""
    generator = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=std, generator=generator)
    return net.requires_grad_(False)
