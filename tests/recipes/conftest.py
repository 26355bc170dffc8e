"""A study of seconds: tiny latents, no rulers."""

import argparse
import dataclasses

import pytest

from recipes.bench import Bench, open_study
from worldreel.models.presets import TINY_DIT


@pytest.fixture(scope="session")
def shared(tiny):
    return Bench(
        latents=(str(tiny / "short"),),
        judged={"seen": str(tiny / "short"), "held out": str(tiny / "short")},
        text=str(tiny / "text"),
        compressor="none",
        preset=dataclasses.replace(TINY_DIT, layers=3),
        batch=2,
        cases=0,
        bf16=False,
    )


@pytest.fixture
def chosen(shared, tmp_path):
    open_study(tmp_path, shared)
    return argparse.Namespace(
        out=tmp_path, steps=4, seeds=2, equal="flops", smoke=False, plan=False, jobs=1,
        minutes=None, only=["base"], budget=None, largest=False, docs=tmp_path / "docs",
    )  # fmt: skip
