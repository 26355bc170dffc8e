"""Videos for VBench's own tool to score: one file for each prompt and index, named as it expects.

VBench (Huang et al., CVPR 2024) reads a folder of `PROMPT-INDEX.mp4`, five of each prompt. Its
prompts are not in this package: give the text file of its repository, a prompt on each line.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from worldreel.engine import Engine, load
from worldreel.errors import RequestError
from worldreel.eval import report
from worldreel.output import check_folder
from worldreel.progress import Progress, silent
from worldreel.request import RequestWarning

SAMPLES = 5
LONGEST = 240  # bytes of a file's name without its number
NOTE = "videos.json"


def export(
    model: str | Path | Engine,
    prompts: str | Path,
    out: str | Path,
    *,
    samples: int = SAMPLES,
    seconds: float = 2.0,
    first_seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make `samples` videos of each prompt into `out`; those that are there stay.

    The seed of every video, first_seed and its number in the list on, is written beside them.
    """
    if samples < 1:
        raise RequestError(f"samples must be at least 1, not {samples}")
    texts = _prompts(Path(prompts))
    folder = check_folder(out)
    engine = model if isinstance(model, Engine) else load(model)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(text, index) for text in texts for index in range(samples)]
    made, notes = [], []
    progress("videos", 0, len(jobs))
    for number, (text, index) in enumerate(jobs):
        file, seed = folder / f"{text}-{index}.mp4", first_seed + number
        if not file.exists():
            with warnings.catch_warnings():  # what is not understood stands in the notes
                warnings.simplefilter("ignore", RequestWarning)
                video = engine.generate(text, seconds=seconds, seed=seed)
            video.save(file, sidecar=False)
            unknown = video.metadata["words"]["ignored"]
            notes += [{"prompt": text, "not understood": unknown}] if unknown and not index else []
        made.append({"file": file.name, "prompt": text, "seed": seed})
        progress("videos", number + 1, len(jobs))
    about = {"model": engine.settings.name, "seconds": seconds, "samples": samples}
    report.write_json(folder / NOTE, {**about, "videos": made})
    return {**about, "out": str(folder), "videos": len(made), "prompts": len(texts), "notes": notes}


def _prompts(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} is no file of prompts ({error})") from None
    texts = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not texts:
        raise RequestError(f"{file} holds no prompts: VBench's are in prompts/all_dimension.txt")
    for text in texts:
        if "/" in text or "\0" in text or len(text.encode()) > LONGEST:
            raise RequestError(f"no file can be named after the prompt {text[:60]!r}...")
    return texts
