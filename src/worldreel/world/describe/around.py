"""What is said of the whole scene: place, light, weather, style and camera."""

from __future__ import annotations

from worldreel.world.describe.cast import Cast
from worldreel.world.describe.naming import Namer
from worldreel.world.describe.pen import Pen, Piece
from worldreel.world.words import OUTDOORS, phrases

_AFLOAT = ("ship", "fish")  # what makes the sea of a coast, the water of a reef


class Around:
    """Writes bits of one caption about its scene; None for what is not known or not said.

    The numbers are the shares of captions in which each is said.
    """

    def __init__(self, pen: Pen, cast: Cast, namer: Namer):
        self.pen = pen
        self.cast = cast
        self.namer = namer
        kinds = {cast.kind(i) for i in cast.things}
        self._afloat = next((kind for kind in _AFLOAT if kind in kinds), "")

    def piece(self, name: str, slot: str, *kinds: str, form: int = 0) -> Piece | None:
        """A fact of the whole scene, in the words of a table."""
        fact = self.cast.fact(name)
        if fact is None:
            return None
        return Piece(self.pen.word(slot, str(fact.value), *kinds, form=form), (fact,))

    def setting(self, slot: str, share: float) -> Piece | None:
        return self.piece("setting", slot, self._afloat) if self.pen.often(share) else None

    def light(self, share: float) -> Piece | None:
        slot = "when" if self._outdoors() else "light"
        return self.piece("light", slot) if self.pen.often(share) else None

    def hour(self, share: float) -> Piece | None:
        """The light, for a tag."""
        kind = "outdoors" if self._outdoors() else ""
        return self.piece("light", "hour", kind) if self.pen.often(share) else None

    def weather(self, slot: str, share: float) -> Piece | None:
        value = self.cast.value("weather")
        if value == "clear":  # goes without saying
            open_ = self._outdoors() and self.cast.value("light") != "overcast"
            share = 0.1 if open_ else 0.0
        return self.piece("weather", slot) if self.pen.often(share) else None

    def weathered(self, light: Piece | None, weather: Piece | None, *, tag: bool) -> Piece | None:
        """Light and weather in one, (on) a rainy night, for two that are to be said."""
        if light is None or weather is None or not self.pen.often(0.35):
            return None
        (hour,), (air,) = light.facts, weather.facts
        if not phrases("time", str(hour.value), self.pen.language):
            return None
        foul = Piece(self.pen.word("foul", str(air.value)), (air,))
        time = Piece(self.pen.word("time", str(hour.value)), (hour,))
        return self.pen.fill("weathered tag" if tag else "weathered", {"foul": foul, "time": time})

    def style(self, slot: str, share: float) -> Piece | None:
        share = 0.08 if self.cast.value("style") == "render" else share
        return self.piece("style", slot) if self.pen.often(share) else None

    def camera(self, share: float, *, tag: bool = False, named: bool = True) -> Piece | None:
        """The camera's move. named: the one that it follows can be named again."""
        fact = self.cast.fact("camera")
        if fact is None or not self.pen.often(0.2 if fact.value == "static" else share):
            return None
        form = int(tag and self.pen.english)
        cut = Piece(self.pen.word("camera", str(fact.value), form=form), (fact,))
        if fact.value != "follow" or tag or not named or self.pen.often(0.3):
            return cut
        the = self.namer.again(self.cast.things[:1], form="object")
        if the is None:
            return cut
        follows = Piece(self.pen.word("follows", "follow"), (fact,))
        return self.pen.fill("filming", {"follows": follows, "the": the})

    def _outdoors(self) -> bool:
        return self.cast.value("setting") in OUTDOORS
