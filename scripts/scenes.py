"""How the world's scenes come out: python scripts/scenes.py [COUNT].

Acts out COUNT scenes of each story at the first try and says how many do what they say, why the
others do not, and how long one takes; then stages COUNT scenes of the ordinary mix, says what they
show, and holds them to the laws of physics: nothing is under the floor, no energy comes from
nowhere. Exits with 1 if a law is broken.
"""

import sys
import time
from collections import Counter, defaultdict

import numpy as np

from worldreel.world import record
from worldreel.world.act import act, stage_scene
from worldreel.world.sample import sample
from worldreel.world.scene import ACTORS, Take
from worldreel.world.stories import STORIES
from worldreel.world.verdict import confirm


def first_tries(count: int) -> None:
    for story in STORIES:
        why: Counter[str] = Counter()
        seconds = []
        for seed in range(count):
            start = time.perf_counter()
            wrong = confirm(act(sample(seed, story=story)))
            seconds.append(time.perf_counter() - start)
            why["" if wrong is None else "".join(c for c in wrong if not c.isdigit())] += 1
        right, middle = why.pop("", 0) / count, 1e3 * np.median(seconds)
        causes = "; ".join(f"{n} {text}" for text, n in why.most_common(3))
        print(f"{story:9} {right:4.0%} at the first try, {middle:4.0f} ms  {causes}")


def broken(take: Take) -> str | None:
    """Which law of physics a take breaks, None if none."""
    things = [i for i, thing in enumerate(take.scene.things) if thing.kind not in ACTORS]
    if not things:
        return None
    own = np.concatenate([record.parts(take, i) for i in things])
    if record.lowest(take, own) < -0.05:
        return "something is under the floor"
    speed = np.linalg.norm(take.velocity[:, own].astype(np.float64), axis=2)
    start = take.scene.gravity * take.position[0, own, 2].max() + speed[0].max() ** 2 / 2
    # What one gets from another of four times its mass is 1.6 of that one's speed at most.
    if (speed.max() / 1.7) ** 2 / 2 > start + 0.1:
        return f"something goes at {speed.max():.1f} m/s"
    return None


def mix(count: int) -> int:
    shown: dict[str, Counter] = defaultdict(Counter)
    seconds, wrong = [], 0
    for seed in range(count):
        start = time.perf_counter()
        take = stage_scene(seed)
        seconds.append(time.perf_counter() - start)
        law = broken(take)
        if law:
            wrong += 1
            print(f"seed {seed}: {law}")
        scene, one = take.scene, take.scene.things[0]
        for slot in ("kind", "color", "size", "action", "event", "direction"):
            shown[slot][str(getattr(one, slot))] += 1
        for slot in ("setting", "light", "weather", "style"):
            shown[slot][getattr(scene, slot)] += 1
        shown["camera"][scene.camera.move] += 1
        shown["things"][str(len(scene.things))] += 1
        shown["keys"][str(bool(scene.keys))] += 1
    print(f"\n{count} scenes, {1e3 * np.median(seconds):.0f} ms each (median), {wrong} break a law")
    for slot, found in shown.items():
        shares = ", ".join(f"{word} {100 * n / count:.1f}" for word, n in found.most_common())
        print(f"{slot}: {shares}")
    return wrong


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    first_tries(max(20, number // 20))
    sys.exit(1 if mix(number) else 0)
