"""What may be asked of a model, by name: each is a `Request`, and all go one way, `make`.

text, first and last picture, keyframes    generate
a clip, and what comes after or before it  extend
two clips, and what lies between           connect
a video that has no end                    loop
a part of a clip that is missing, or bad   fill, retake
a clip in another guise                    edit
"""

from __future__ import annotations

import difflib
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from worldreel.errors import RequestError
from worldreel.progress import Progress
from worldreel.request import Request
from worldreel.values import Size, short

if TYPE_CHECKING:
    from worldreel.media import Video
    from worldreel.request import Limits


# What others call what is asked for here.
_ELSEWHERE = MappingProxyType(
    {
        "text": "prompt",
        "frames": "num_frames",
        "video_length": "num_frames",
        "duration": "seconds",
        "length": "seconds",
        "width": "size",
        "height": "size",
        "resolution": "size",
        "aspect_ratio": "aspect",
        "generator": "seed",
        "steps": "num_inference_steps",
        "guidance": "guidance_scale",
        "cfg": "guidance_scale",
        "cfg_scale": "guidance_scale",
        "callback": "progress",
        "video": "clip",
        "span": "time",
        "denoising_strength": "strength",
    }
)

P = ParamSpec("P")
R = TypeVar("R")


def by_name(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, in which a parameter that it does not have is a RequestError."""
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @functools.wraps(function)
    def checked(*args: P.args, **asked: P.kwargs) -> R:
        for name in asked:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                meant = _ELSEWHERE.get(name) or next(iter(near), None)
                does = f"did you mean {meant}?" if meant in known else f"it has {', '.join(known)}"
                raise RequestError(f"{function.__name__} has no parameter {short(name)}: {does}")
        return function(*args, **asked)

    return checked


class Tasks(ABC):
    """The methods of an engine that have names; `engine.Engine` is one.

    Of all of them: what is None is as the model likes it (`limits`). A clip is a file or a Video;
    its latents stay as they are, bit for bit, where nothing is to change, and a prompt of None is
    the clip's own. Times are seconds, or text that ends in f: "18f" is frames. See `make` for
    progress, and for what is told and raised.
    """

    @property
    @abstractmethod
    def limits(self) -> Limits:
        """What a request may ask for."""

    @abstractmethod
    def make(
        self, request: Request, *, progress: Progress | None = None, stacklevel: int = 2
    ) -> Video:
        """The video that a request asks for."""

    @by_name
    def generate(
        self,
        prompt: str,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        size: Size | str | None = None,
        aspect: str | None = None,
        image: Any = None,
        last_image: Any = None,
        keyframes: Sequence[tuple[Any, ...]] = (),
        references: Sequence[Any] = (),
        rewrite: Any = False,
        negative_prompt: str = "",
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """One video of words, 4 s of 256x144 for marble if nothing else is said.

        seconds, or num_frames (1: a still); size, (width, height) or "256x144", or aspect, "16:9".
        image, last_image: the first and the last frame: a file, a PIL image, or (H, W, 3) uint8.
        keyframes: (time, picture) or (time, picture, strength), held at a strength up to 1.
        references: pictures of who or what is to be seen (public weights that take them: VACE).
        rewrite: True, or a `worldreel.prompt.Chat`, for a prompt that becomes a full caption first.
        """
        request = Request(
            prompt=prompt,
            seconds=seconds,
            num_frames=num_frames,
            size=size,
            aspect=aspect,
            image=image,
            last_image=last_image,
            keyframes=keyframes,
            references=references,
            rewrite=rewrite,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)

    @by_name
    def extend(
        self,
        clip: Any,
        prompt: str | None = None,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        before: bool = False,
        size: Size | str | None = None,
        aspect: str | None = None,
        negative_prompt: str = "",
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """The whole clip and what comes after it, or before it: so many seconds more.

        size or aspect: to what a clip is fitted that worldreel did not make.
        """
        request = Request(
            prompt=prompt,
            seconds=seconds,
            num_frames=num_frames,
            size=size,
            aspect=aspect,
            before=None if before else clip,
            after=clip if before else None,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)

    @by_name
    def connect(
        self,
        first: Any,
        second: Any,
        prompt: str | None = None,
        *,
        seconds: float | None = None,
        num_frames: int | None = None,
        size: Size | str | None = None,
        aspect: str | None = None,
        negative_prompt: str = "",
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """Two clips, whole, with so many seconds between them that lead from one to the other."""
        request = Request(
            prompt=prompt,
            seconds=seconds,
            num_frames=num_frames,
            size=size,
            aspect=aspect,
            before=first,
            after=second,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)

    @by_name
    def loop(
        self,
        prompt: str | None = None,
        *,
        clip: Any = None,
        seconds: float | None = None,
        num_frames: int | None = None,
        size: Size | str | None = None,
        aspect: str | None = None,
        negative_prompt: str = "",
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """A video whose last frame is followed by its first.

        Of words alone it is all painted; a clip is kept whole, and so many seconds are painted
        that lead from its end back to its start.
        """
        if prompt is not None and not isinstance(prompt, str) and clip is None:
            raise RequestError("a loop of a clip is loop(clip=...): the words of it come first")
        request = Request(
            prompt=prompt,
            seconds=seconds,
            num_frames=num_frames,
            size=size,
            aspect=aspect,
            before=clip,
            ring=True,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)

    @by_name
    def fill(
        self,
        clip: Any,
        prompt: str | None = None,
        *,
        time: Any = None,
        region: Any = None,
        mask: Any = None,
        canvas: Any = None,
        size: Size | str | None = None,
        aspect: str | None = None,
        negative_prompt: str = "",
        seed: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """A clip of which a part is painted anew: missing frames, a thing in it, its margins.

        time: from and to, "0.5:1.5", "6f:18f" or a pair. region: (x, y, width, height) in pixels
        from the top left. mask: a picture or a clip of the clip's size, white where it may change.
        canvas: a larger size, "256x144", around the clip, or "256x144+0+32" with the clip there.
        Where there are several, the first three must all hold; outside of them pixels stay.
        seed: one above the clip's own, as in `retake`.
        """
        if time is region is mask is canvas is None:
            raise RequestError("say what to fill: time, region, mask or canvas")
        request = Request(
            prompt=prompt,
            size=size,
            aspect=aspect,
            under=clip,
            time=time,
            region=region,
            mask=mask,
            canvas=canvas,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)

    @by_name
    def retake(
        self,
        clip: Any,
        prompt: str | None = None,
        *,
        time: Any,
        size: Size | str | None = None,
        aspect: str | None = None,
        negative_prompt: str = "",
        seed: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """A clip with a span played again; frames outside of it, and of its reach, stay.

        seed: one above the clip's own, so that it is another take.
        """
        request = Request(
            prompt=prompt,
            size=size,
            aspect=aspect,
            under=clip,
            time=time,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)

    @by_name
    def edit(
        self,
        clip: Any,
        prompt: str,
        *,
        strength: float = 0.5,
        time: Any = None,
        region: Any = None,
        mask: Any = None,
        size: Size | str | None = None,
        aspect: str | None = None,
        negative_prompt: str = "",
        seed: int = 0,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Any = None,
        flow_shift: float | None = None,
        progress: Progress | None = None,
    ) -> Video:
        """A clip as other words have it: at a strength of 0.3 shades change, at 0.6 ground, sky
        and light, at 0.9 things too, at 1 all is new (docs/edit.md has pictures).

        time, region, mask: as in `fill`, where it may change.
        """
        request = Request(
            prompt=prompt,
            size=size,
            aspect=aspect,
            under=clip,
            strength=strength,
            time=time,
            region=region,
            mask=mask,
            negative_prompt=negative_prompt,
            seed=seed,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            flow_shift=flow_shift,
            model=self.limits.name,
        )
        return self.make(request, progress=progress, stacklevel=4)
