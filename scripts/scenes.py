"""How the world's scenes come out: python scripts/scenes.py [COUNT].

Acts out COUNT scenes of each story at the first try and says how many do what they say, why the
others do not, and how long one takes. Then stages COUNT scenes of the ordinary mix, says what they
show, and holds them to the laws: nothing is under the floor, no energy comes from nowhere, what is
in the air falls with the scene's gravity, what captions state is in the record, and what is
sampled is large enough and of a colour that can be told. Last, blows on ice: momentum stays.
Exits with 1 if a law is broken.
"""

import sys
import time
from collections import Counter, defaultdict

import numpy as np

from worldreel.world import record, stage
from worldreel.world.act import act, stage_scene
from worldreel.world.describe import captions, facts
from worldreel.world.framing import pixels
from worldreel.world.place import tells
from worldreel.world.sample import sample
from worldreel.world.scene import ACTORS, FPS, Take
from worldreel.world.stories import STORIES
from worldreel.world.surface import Surface
from worldreel.world.verdict import SMALLEST, confirm

ICE = Surface(slide=0.0, roll=0.0, bounce=0.5)
FALL, MOMENTUM, FLOOR = 0.01, 0.02, 0.05  # shares of gravity and of momentum; metres


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
    if record.lowest(take, own) < -FLOOR:
        return "something is under the floor"
    speed = np.linalg.norm(take.velocity[:, own].astype(np.float64), axis=2)
    start = take.scene.gravity * take.position[0, own, 2].max() + speed[0].max() ** 2 / 2
    # What one gets from another of four times its mass is 1.6 of that one's speed at most.
    if (speed.max() / 1.7) ** 2 / 2 > start + 0.1:
        return f"something goes at {speed.max():.1f} m/s"
    return None


def gravity_off(take: Take) -> list[float]:
    """By which share the fitted fall of each thing in the air is off the scene's gravity."""
    found = []
    for index, thing in enumerate(take.scene.things):
        end = record.landed(take, index) - 1
        # A cone's and a row's middle is not its centre of mass.
        if thing.action not in ("falls", "flies") or thing.kind in ("cone", *ACTORS) or end < 4:
            continue
        height = record.path(take, index)[:end, 2]
        fitted = -2 * np.polyfit(np.arange(end) / FPS, height, 2)[0]
        found.append(float(abs(fitted / take.scene.gravity - 1)))
    return found


def false_facts(take: Take, seed: int) -> tuple[int, int]:
    """How many facts captions in both languages state, and how many are not in the record."""
    known, rng = set(facts(take)), np.random.default_rng(seed)
    said = [f for lang in ("en", "zh") for c in captions(take, rng, language=lang) for f in c.facts]
    return len(said), sum(fact not in known for fact in said)


def unseen(take: Take) -> list[str]:
    """What of a scene's words a viewer could not tell at first."""
    scene, found = take.scene, []
    for index, thing in enumerate(scene.things):
        if pixels(record.filled(take, index)[:1])[0] < SMALLEST:
            found.append(f"a {thing.kind} is too small")
        if not tells(thing.color, scene.setting, scene.light, scene.weather):
            found.append(f"{thing.color} does not stand out")
    return found


def momentum_off(count: int) -> list[float]:
    """By which share the momentum of what hits and what is hit on ice changes at most."""
    found = []
    words = {"ball", "cube", "cylinder", "hits", "rests", "rolls", "slides", "2"}
    for seed in range(count):
        scene = sample(seed, story="hits", within=words)
        take = act(scene, surface=ICE)
        if not record.struck(take):
            continue
        mass = stage.build(scene).body_mass[1:]
        moved = np.einsum("p,fpi->fi", mass, take.velocity.astype(np.float64))[:, :2]
        off = np.linalg.norm(moved - moved[0], axis=1).max() / np.linalg.norm(moved[0])
        found.append(float(off))
    return found


def mix(count: int) -> int:
    shown: dict[str, Counter] = defaultdict(Counter)
    seconds, wrong, off, stated, untrue, hidden = [], 0, [], 0, 0, 0
    lowest = np.inf
    for seed in range(count):
        start = time.perf_counter()
        take = stage_scene(seed)
        seconds.append(time.perf_counter() - start)
        law = broken(take)
        if law:
            wrong += 1
            print(f"seed {seed}: {law}")
        off += gravity_off(take)
        told, false = false_facts(take, seed)
        stated, untrue = stated + told, untrue + false
        odd = unseen(take)
        hidden += bool(odd)
        for line in odd:
            print(f"seed {seed}: {line}")
        things = [i for i, thing in enumerate(take.scene.things) if thing.kind not in ACTORS]
        if things:
            own = np.concatenate([record.parts(take, i) for i in things])
            lowest = min(lowest, record.lowest(take, own))
        scene, one = take.scene, take.scene.things[0]
        for slot in ("kind", "color", "size", "action", "event", "direction"):
            shown[slot][str(getattr(one, slot))] += 1
        for slot in ("setting", "light", "weather", "style"):
            shown[slot][getattr(scene, slot)] += 1
        shown["camera"][scene.camera.move] += 1
        shown["things"][str(len(scene.things))] += 1
        shown["keys"][str(bool(scene.keys))] += 1
    print(f"\n{count} scenes, {1e3 * np.median(seconds):.0f} ms each (median), {wrong} break a law")
    print(f"the lowest point of any thing: {100 * lowest:.1f} cm (at least {-100 * FLOOR:.0f})")
    print(
        f"{len(off)} falls: gravity off by {100 * max(off):.2f} % at most (limit {100 * FALL:.0f})"
    )
    print(f"{stated} facts stated in captions, {untrue} of them not in the record")
    print(f"{hidden} scenes with something that cannot be seen")
    blows = momentum_off(max(20, count // 20))
    print(
        f"{len(blows)} blows on ice: momentum off by {100 * max(blows):.2f} % at most (limit "
        f"{100 * MOMENTUM:.0f})"
    )
    wrong += untrue + hidden + (max(off) > FALL) + (max(blows) > MOMENTUM)
    for slot, found in shown.items():
        shares = ", ".join(f"{word} {100 * n / count:.1f}" for word, n in found.most_common())
        print(f"{slot}: {shares}")
    return wrong


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    first_tries(max(20, number // 20))
    sys.exit(1 if mix(number) else 0)
