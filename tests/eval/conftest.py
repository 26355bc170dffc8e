"""A tiny model that knows nothing, for the cards."""

import dataclasses

import pytest
import torch

from worldreel.engine import Engine, Settings
from worldreel.models.compressor import Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_COMPRESSOR, TINY_DIT, TINY_TEXT
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.world.describe import LABELS

SLOTTED = dataclasses.replace(TINY_TEXT, slots=len(LABELS))


@pytest.fixture
def tiny():
    """An engine of random weights, of any kind of Engine."""

    def build(kind=Engine):
        torch.manual_seed(0)
        return kind(
            settings=Settings(name="tiny", steps=2),
            text=TextEncoder(SLOTTED, Lexicon(["ball", "red", "红色"]), dict(LABELS)),
            dit=DiT(TINY_DIT).eval(),
            compressor=Compressor(TINY_COMPRESSOR).eval(),
            device=torch.device("cpu"),
        )

    return build
