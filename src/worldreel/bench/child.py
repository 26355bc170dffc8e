"""One side of a race in a process of its own: what memory it takes.

    python -m worldreel.bench.child C1 "worldreel bfloat16" cpu cpu

The peak begins when the side is made and its first call done, so that what was needed to make it
does not count; both sides have the same packages loaded.
"""

import json
import sys

import torch

from worldreel.bench import machine
from worldreel.bench.programme import races


def main() -> None:
    key, name, which, device = sys.argv[1:]
    race = races(which, device=torch.device(device))[key]()
    side = next(side for side in race.sides if side.name == name)
    with torch.inference_mode(not race.graph):
        ready = side.prepare()
        for work in ready.parts.values():
            work()
        fresh = machine.forget_peak()
        for work in ready.parts.values():
            work()
    print(json.dumps({"peak_mib": machine.peak_memory() / 2**20, "fresh": fresh}))


if __name__ == "__main__":
    main()
