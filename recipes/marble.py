"""marble, small: every stage from nothing to the packaged weights, on two cores.

    python -m worldreel.data.synth runs/data/small --count 6144 --first-seed 200000 --samples 4
    worldreel train text marble
    worldreel train compressor marble
    worldreel train dit marble

Training seeds start at 200,000; weights are chosen on seeds from 100,000; figures are reported on
seeds 0 to n-1. What was tried and lost is in docs/LOG.md.
"""

from worldreel.models import presets
from worldreel.train import compressor as compressor_stage
from worldreel.train import text as text_stage
from worldreel.world.facts import LABELS


def text() -> text_stage.Config:
    return text_stage.Config(preset=presets.marble_text(len(LABELS)), first_seed=1_000_000)


def compressor() -> compressor_stage.Config:
    return compressor_stage.Config(
        preset=presets.MARBLE_COMPRESSOR, data=("runs/data/small", "runs/data/base")
    )
