"""Real renders as videos with their prompts: what a perfect model would make of a card's scenes.

Judged as any other folder of videos is, they show what the rulers, and a video's encoding, take
away from a card; any other judge can be tried on them in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worldreel.eval import report
from worldreel.eval.cases import WORLD, cases, renders
from worldreel.media import Video
from worldreel.output import check_folder
from worldreel.progress import Progress, silent
from worldreel.provenance import RENDERED
from worldreel.world.scene import FPS

PROMPTS = "prompts.json"


def export(
    out: str | Path,
    *,
    count: int = 300,
    first_seed: int = 0,
    world: str = WORLD,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Draw `count` scenes of a card into `out`, half of them of held-out pairs, as SEED.mp4, and
    write their English prompts into prompts.json beside them, with the world that they are of."""
    folder = check_folder(out)
    scenes = cases(count, first_seed, progress, world)
    folder.mkdir(parents=True, exist_ok=True)
    prompts = {}
    drawn = renders([one.take for one in scenes], progress)
    for one, frames in zip(scenes, drawn, strict=True):
        name = f"{one.seed:06d}{'-held-out' if one.split else ''}.mp4"
        prompts[name] = one.prompts["en"].text
        about = {"request": {"prompt": prompts[name]}, "digital_source_type": RENDERED}
        Video(frames=frames, fps=FPS, metadata=about).save(folder / name)
    report.write_json(folder / PROMPTS, {"world": world, "prompts": prompts})
    return {"out": str(folder), "videos": len(scenes), "world": world, "first_seed": first_seed}
