"""Templates of what stands around clauses: place, light and camera, joints, sentences, shots."""

from __future__ import annotations

# Where, when, how it is seen: each on its own.
ADJUNCTS: dict[str, dict[str, tuple[str, ...]]] = {
    "where": {"en": ("{at}", "{along}", "{onto}"), "zh": ("在{spot}", "?在{setting}{within}")},
    "filming": {
        "en": ("{cut}", "the camera {follows} {the}", "?camera {follows} {the}"),
        "zh": ("{cut}", "镜头{follows}{the}", "镜头{follows}着{the}"),
    },
    "weathered": {  # a rainy night
        "en": ("on a {foul} {time}",),
        "zh": ("{foul}的{time}",),
    },
    "weathered tag": {"en": ("{foul} {time}",), "zh": ("{foul}的{time}",)},
    "keyword": {  # of what is named before or after it, in a list
        "en": ("{color}", "{color} {garment}", "{color} {garments}", "{doing}", "{way}"),
        "zh": ("{color}", "{color}{garment}", "{does}", "{way}", "{color}衣服"),
    },
    "adjunct": {  # all that can be one, for who reads
        "en": (
            "{where}", "{weathered}", "{weathered tag}", "{keyword}", "{setting}", "{light}",
            "{hour}", "{weather}",
            "{forecast}", "{air}", "{style}", "{medium}", "{camera}", "{move}",
        ),
        "zh": (
            "{where}", "{weathered}", "{keyword}", "{spot}", "{setting}", "{light}", "{hour}",
            "{weather}", "{forecast}", "{air}", "{style}", "{medium}", "{camera}",
            "?{setting}{within}",
        ),
    },
}  # fmt: skip

# How clauses are joined. Who reads needs no more of these than their words: the clauses and the
# adjuncts say what they say in any order.
FRAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "told": {
        "en": (
            "{core}[ {where}][ {light}][ {weather}]",
            "{core}[ {where}][ {weather}][ {light}]",
            "{core}[ {light}][ {where}][ {weather}]",
            "{core}[ {where}][, {light}][, {weather}]",
            "{core}[, {where}][, {light}][, {weather}]",
        ),
        "zh": (),
    },
    "led": {
        "en": (
            "{light}, {core}[ {where}][ {weather}]",
            "{where}[ {light}], {core}[ {weather}]",
            "{light} {where}, {core}[ {weather}]",
            "{weather}, {core}[ {where}][ {light}]",
            "{weather} {where}, {core}[ {light}]",
        ),
        "zh": (
            "[{light}，][{weather}，][{spot}，]{core}",
            "[{light}，][{weather}，][在{spot}，]{core}",
        ),
    },
    "led so": {
        "en": (),
        "zh": ("[{weather}，]{light}的{spot}，{core}", "[{light}，]{weather}的{spot}，{core}"),
    },
    "tag": {
        "en": ("{core}", "{core} {where}", "{core}, {setting}"),
        "zh": ("{core}", "{core}，{spot}", "{core}，{setting}"),
    },
    "beside": {
        "en": (
            "{said} while {clause}",
            "{said}, and {clause}",
            "{said} as {clause}",
            "{said}, with {scrap}",
            "{said} with {idle} nearby",
            "{said}, with {idle} nearby",
            "{said}, and {idle} {is} nearby",
        ),
        "zh": (
            "{said}，{clause}",
            "{said}，而{clause}",
            "{said}，附近有{idle}",
            "{said}，旁边有{idle}",
        ),
    },
    "and": {  # of what has no finite verb
        "en": (
            "{said} and {scrap}",
            "{said}, with {scrap}",
            "{said} and {idle}",
            "{said} with {idle} nearby",
        ),
        "zh": (),
    },
    "there": {
        "en": (
            "there is {scrap}",
            "there are {scraps}",
            "there's {scrap}",
            "we see {scrap}",
            "we see {scraps}",
            "i see {scrap}",
        ),
        "zh": (),
    },
    "next to": {
        "en": ("{said} next to {idle}", "{said} beside {idle}"),
        "zh": ("{said}，旁边是{idle}",),
    },
    "shown": {
        "en": ("in this clip, {said}", "in the picture, {said}"),
        "zh": ("视频中，{said}", "画面中，{said}", "这段视频里，{said}"),
    },
    "depicted": {
        "en": (
            "the video shows {scrap}",
            "a video of {scrap}",
            "a shot of {scrap}",
            "a view of {scrap}",
            "footage of {scrap}",
            "this clip shows {scrap}",
            "a {medium} of {scrap}",
            "this {medium} shows {scrap}",
        ),
        "zh": (),
    },
    "styled": {
        "en": ("{said}, {style}",),
        "zh": (),
    },
    "in style": {
        "en": ("{said}, {style}", "{style}, {said}"),
        "zh": ("{style}的画面中，{said}", "{said}，画面为{style}", "{medium}中，{said}"),
    },
    "filmed": {
        "en": (
            "{said} while {camera}",
            "{said}, and {camera}",
            "{said} as {camera}",
        ),
        "zh": ("{said}，{camera}", "{said}，同时{camera}"),
    },
    "filmed so": {"en": ("{camera} as {said}",), "zh": ("{camera}，{said}",)},
    # Sentences of a paragraph.
    "scene": {
        "en": (
            "the scene is set[ {where}][ {light}][ {weather}]",
            "it all happens[ {where}][ {light}][ {weather}]",
            "the scene is filmed[ {light}][ {weather}][ {where}]",
        ),
        "zh": (
            "场景是[{light}的]{setting}",
            "这一幕发生在{spot}",
            "这一幕发生在{light}，在{spot}",
            "这一幕发生在{light}",
        ),
    },
    "picture": {
        "en": ("the whole scene is shown {style}", "the picture is presented {style}"),
        "zh": ("整个画面采用{style}", "画面呈现{style}", "整段视频采用{style}"),
    },
    "later": {
        "en": ("then {clause}", "after that, {clause}", "midway, {clause}"),
        "zh": ("随后{clause}", "接着，{clause}", "然后{clause}", "途中，{clause}"),
    },
}

# The first shot of several, and how one follows the other.
SHOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "shots": {
        "en": (
            "first, {shot}",
            "the first shot: {shot}",
            "from {start} to {end} seconds: {shot}",
        ),
        "zh": ("首先，{shot}", "第一个镜头：{shot}", "{start}到{end}秒：{shot}"),
    },
    "cut": {
        "en": (
            "then cut to: {shot}",
            "the next shot: {shot}",
            "from {start} to {end} seconds: {shot}",
            "?cut to: {shot}",
            "?next shot: {shot}",
        ),
        "zh": (
            "镜头切换，{shot}",
            "下一个镜头：{shot}",
            "{start}到{end}秒：{shot}",
            "?镜头切到{shot}",
            "?切换到{shot}",
        ),
    },
}
