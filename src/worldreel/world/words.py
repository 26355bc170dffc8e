"""The words of the world: for every value of every slot its phrases, in English and Chinese.

One table from (slot, value) to phrases, one of templates. Captions are written from them, the
text encoder's lexicon is read off them, and a parser can turn them round. A new value of the world
is a new row.
"""

from __future__ import annotations

import re

LANGUAGES = ("en", "zh")

# slot -> value -> language -> phrases. An English kind is in the singular.
# An English verb is (third person, participle). A phrase that stands twice is taken twice as often.
PHRASES: dict[str, dict[str, dict[str, tuple]]] = {
    "kind": {
        "ball": {"en": ("ball", "ball", "sphere", "orb"), "zh": ("球", "圆球", "球体")},
        "cube": {"en": ("cube", "cube", "box", "block"), "zh": ("立方体", "方块", "方盒")},
        "cylinder": {
            "en": ("cylinder", "cylinder", "can", "drum"),
            "zh": ("圆柱", "圆柱体", "圆筒"),
        },
        "cone": {"en": ("cone", "cone", "pointed cone"), "zh": ("圆锥", "圆锥体", "锥体")},
    },
    "color": {
        "red": {
            "en": ("red", "red", "crimson", "scarlet"),
            "zh": ("红色", "鲜红色", "艳红色", "红"),
        },
        "orange": {"en": ("orange", "orange", "tangerine"), "zh": ("橙色", "橘色", "橘黄色", "橙")},
        "yellow": {
            "en": ("yellow", "yellow", "lemon yellow"),
            "zh": ("黄色", "明黄色", "柠檬黄", "黄"),
        },
        "green": {"en": ("green", "green", "emerald"), "zh": ("绿色", "翠绿色", "碧绿色", "绿")},
        "cyan": {
            "en": ("cyan", "cyan", "turquoise", "aqua"),
            "zh": ("青色", "蓝绿色", "青绿色", "青"),
        },
        "blue": {
            "en": ("blue", "blue", "royal blue", "cobalt blue"),
            "zh": ("蓝色", "宝蓝色", "深蓝色", "蓝"),
        },
        "purple": {
            "en": ("purple", "purple", "violet"),
            "zh": ("紫色", "紫罗兰色", "深紫色", "紫"),
        },
        "pink": {"en": ("pink", "pink", "rosy pink"), "zh": ("粉色", "粉红色", "粉红", "粉")},
    },
    "size": {
        "small": {"en": ("small", "little"), "zh": ("小", "小小的", "小号的")},
        "medium": {"en": ("medium-sized", "mid-sized"), "zh": ("中等大小的", "中号的")},
        "large": {"en": ("large", "big"), "zh": ("大", "大大的", "大号的")},
    },
    "material": {
        "matte": {"en": ("matte", "dull"), "zh": ("哑光的", "磨砂的", "无光泽的")},
        "glossy": {"en": ("glossy", "shiny", "polished"), "zh": ("光亮的", "有光泽的", "亮面的")},
        "metal": {"en": ("metal", "metallic"), "zh": ("金属的", "金属质感的", "金属制的")},
    },
    "setting": {
        "wooden table": {
            "en": ("wooden table", "wooden tabletop", "wood table"),
            "zh": ("木桌", "木头桌子", "木质桌面"),
        },
        "meadow": {
            "en": ("meadow", "grass field", "grassy field", "lawn"),
            "zh": ("草地", "草坪", "草原"),
        },
        "snowfield": {
            "en": ("snowfield", "snowy field", "field of snow"),
            "zh": ("雪地", "雪原", "积雪的原野"),
        },
        "wet street": {
            "en": ("wet street", "wet city street", "rain-soaked street", "neon-lit wet street"),
            "zh": ("湿漉漉的街道", "雨后的街道", "霓虹灯下的湿街道"),
        },
    },
    "light": {
        "noon": {
            "en": ("at noon", "at midday", "in bright daylight", "under the midday sun"),
            "zh": ("正午", "中午", "大白天", "正午的阳光下"),
        },
        "sunset": {
            "en": ("at sunset", "at dusk", "in the evening light", "under the setting sun"),
            "zh": ("日落时", "黄昏", "傍晚", "夕阳下"),
        },
        "night": {
            "en": ("at night", "after dark", "in the dark of night", "under the night sky"),
            "zh": ("夜晚", "夜里", "晚上", "夜色中"),
        },
    },
    "camera": {  # English: (a clause, a tag)
        "static": {
            "en": (
                ("the camera stays still", "static camera"),
                ("the camera does not move", "fixed camera"),
                ("the camera is static", "static shot"),
            ),
            "zh": ("镜头静止", "镜头固定不动", "固定镜头"),
        },
        "pan_left": {
            "en": (
                ("the camera pans left", "pan left"),
                ("the camera pans to the left", "camera panning left"),
                ("the camera turns left", "left pan"),
            ),
            "zh": ("镜头向左摇", "镜头左摇", "镜头向左转"),
        },
        "pan_right": {
            "en": (
                ("the camera pans right", "pan right"),
                ("the camera pans to the right", "camera panning right"),
                ("the camera turns right", "right pan"),
            ),
            "zh": ("镜头向右摇", "镜头右摇", "镜头向右转"),
        },
        "dolly_in": {
            "en": (
                ("the camera dollies in", "dolly in"),
                ("the camera pushes in", "camera pushing in"),
                ("the camera moves closer", "push in"),
            ),
            "zh": ("镜头推近", "镜头向前推进", "镜头缓缓推进"),
        },
        "dolly_out": {
            "en": (
                ("the camera dollies out", "dolly out"),
                ("the camera pulls back", "camera pulling back"),
                ("the camera moves back", "pull back"),
            ),
            "zh": ("镜头拉远", "镜头向后拉", "镜头缓缓后退"),
        },
        "orbit_left": {
            "en": (
                ("the camera orbits left", "orbit left"),
                ("the camera circles to the left", "camera orbiting left"),
                ("the camera arcs to the left", "left orbit"),
            ),
            "zh": ("镜头向左环绕", "镜头向左绕行", "镜头绕向左侧"),
        },
        "orbit_right": {
            "en": (
                ("the camera orbits right", "orbit right"),
                ("the camera circles to the right", "camera orbiting right"),
                ("the camera arcs to the right", "right orbit"),
            ),
            "zh": ("镜头向右环绕", "镜头向右绕行", "镜头绕向右侧"),
        },
    },
    "action": {
        "rests": {
            "en": (
                ("rests", "resting"),
                ("lies still", "lying still"),
                ("sits still", "sitting still"),
            ),
            "zh": ("静止不动", "静静地待着", "一动不动"),
        },
        "rolls": {"en": (("rolls", "rolling"),), "zh": ("滚动", "滚")},
        "slides": {
            "en": (("slides", "sliding"), ("glides", "gliding")),
            "zh": ("滑动", "滑", "滑行"),
        },
        "falls": {
            "en": (
                ("falls and bounces", "falling and bouncing"),
                ("drops and bounces", "dropping and bouncing"),
                ("falls down", "falling down"),
                ("drops from above", "dropping from above"),
            ),
            "zh": ("落下并弹起", "从空中落下", "掉下来又弹起来", "下落后反弹"),
        },
        "hits": {
            "en": (
                ("hits", "hitting"),
                ("strikes", "striking"),
                ("collides with", "colliding with"),
                ("bumps into", "bumping into"),
            ),
            "zh": ("撞上", "撞到", "碰到", "撞击"),
        },
    },
    "direction": {
        "left": {
            "en": ("left", "to the left", "leftward", "from right to left"),
            "zh": ("向左", "往左", "从右往左", "从右向左"),
        },
        "right": {
            "en": ("right", "to the right", "rightward", "from left to right"),
            "zh": ("向右", "往右", "从左往右", "从左向右"),
        },
        "toward": {
            "en": ("toward the camera", "towards the viewer", "closer to the camera"),
            "zh": ("朝镜头", "向镜头", "朝着观众"),
        },
        "away": {
            "en": ("away from the camera", "away from the viewer", "into the distance"),
            "zh": ("向远处", "往远处", "背离镜头"),
        },
    },
    "side": {
        "left": {
            "en": ("to the left of", "on the left of", "left of"),
            "zh": ("左边", "左侧", "左面"),
        },
        "right": {
            "en": ("to the right of", "on the right of", "right of"),
            "zh": ("右边", "右侧", "右面"),
        },
    },
}

# How a caption is put together: clause -> language -> templates. Every word here is in the lexicon.
#   {a} {b}               the things, with article    {A} {B}  bare, for a tag    {As}  plural
#   {does} {doing} {way}  what {a} does, finite and as participle, and its direction
#   {moves} {moving}      how it moves before it hits       {bdoes} {bdoing}      what {b} does
#   {the} {detail}        a thing named again, and how it looks
#   {core} {said}         what the clauses before have made
TEMPLATES: dict[str, dict[str, tuple[str, ...]]] = {
    "moves": {
        "en": ("{a} {does} {way}", "{a} is {doing} {way}", "{a} {doing} {way}"),
        "zh": ("{a}{way}{does}", "{a}正在{way}{does}", "{a}正{way}{does}"),
    },
    "acts": {"en": ("{a} {does}", "{a} is {doing}", "{a} {doing}"), "zh": ("{a}{does}",)},
    "exists": {"en": ("there is {a}", "{a}"), "zh": ("有{a}", "{a}")},
    "hits": {
        "en": (
            "{a} {moves} {way} and {does} {b}",
            "{a} {does} {b}, {moving} {way}",
            "{a} {moving} {way} {does} {b}",
            "{a} {moves} {way} until it {does} {b}",
        ),
        "zh": (
            "{a}{way}{moves}并{does}{b}",
            "{a}{way}{moves}，{does}了{b}",
            "{way}{moves}的{a}{does}{b}",
        ),
    },
    "pair": {
        "en": (
            "{a} {does} {side} {b}",
            "{a} is {side} {b}",
            "{a} {doing} {side} {b}",
            "{a} {side} {b}",
        ),
        "zh": ("{a}在{b}的{side}", "{a}{does}，在{b}的{side}", "在{b}的{side}有{a}"),
    },
    "twins": {
        "en": ("two {As} are {doing}", "two {As} {doing}", "there are two {As}", "two {As}"),
        "zh": ("两个{A}{does}", "有两个{A}", "两个{A}"),
    },
    "beside": {
        "en": (
            "{core} while {b} {bdoes}",
            "{core}, and {b} {bdoes}",
            "{core} with {b} {bdoing} nearby",
            "{core} with {b} nearby",
        ),
        "zh": ("{core}，{b}{bdoes}", "{core}，而{b}{bdoes}", "{core}，附近有{b}"),
    },
    "tag moves": {"en": ("{A} {doing} {way}",), "zh": ("{way}{does}的{A}", "{A}{way}{does}")},
    "tag acts": {"en": ("{A} {doing}",), "zh": ("{A}{does}",)},
    "tag exists": {"en": ("{A}",), "zh": ("{A}",)},
    "tag hits": {
        "en": (
            "{A} {moving} {way}, {doing} {B}",
            "{A} {doing} {B}, {moving} {way}",
            "{A} {doing} {B}",
        ),
        "zh": ("{way}{moves}的{A}{does}{B}", "{A}{way}{moves}{does}{B}", "{A}{does}{B}"),
    },
    "tag pair": {"en": ("{A} {side} {B}",), "zh": ("{A}在{B}{side}",)},
    "tag twins": {"en": ("two {As}", "two {As} {doing}"), "zh": ("两个{A}", "两个{A}{does}")},
    "tag beside": {
        "en": ("{core}, {B}", "{core}, {B} {bdoing}"),
        "zh": ("{core}，{B}", "{core}，{B}{bdoes}"),
    },
    "where": {"en": ("on a {setting}", "on the {setting}"), "zh": ("在{setting}上", "{setting}上")},
    "across": {"en": ("across a {setting}", "over a {setting}"), "zh": ("在{setting}上",)},
    "tag where": {"en": ("{setting}", "on a {setting}"), "zh": ("{setting}", "{setting}上")},
    "looks": {
        "en": ("{the} is {detail}", "{the} looks {detail}"),
        "zh": ("{the}是{detail}", "{the}看起来是{detail}"),
    },
    "scene": {
        "en": ("the scene is a {setting} {light}", "it all happens on a {setting} {light}"),
        "zh": ("场景是{light}的{setting}", "画面是{light}的{setting}"),
    },
    "scene place": {
        "en": ("the scene is a {setting}", "it all happens on a {setting}"),
        "zh": ("场景是{setting}", "画面是{setting}"),
    },
    "scene light": {
        "en": ("the scene is filmed {light}", "the scene is seen {light}"),
        "zh": ("拍摄于{light}", "时间是{light}"),
    },
    "placed": {
        "en": ("{core} {where}", "{where}, {core}"),
        "zh": ("{where}，{core}", "{where}{core}"),
    },
    "lit": {"en": ("{core} {light}", "{light}, {core}"), "zh": ("{light}，{core}",)},
    "placed and lit": {
        "en": (
            "{core} {where} {light}",
            "{core} {light} {where}",
            "{light}, {core} {where}",
            "{light} {where}, {core}",
            "{where}, {core} {light}",
            "{where} {light}, {core}",
        ),
        "zh": (
            "{light}，{where}，{core}",
            "{light}{where}，{core}",
            "{where}，{core}，{light}",
            "{where}，{light}，{core}",
        ),
    },
    "filmed": {
        "en": ("{said} while {camera}", "{said}, and {camera}", "{said} as {camera}"),
        "zh": ("{said}，{camera}", "{camera}，{said}", "{said}，同时{camera}"),
    },
}

# The words that no template holds: articles, and what joins adjectives.
AROUND = {"en": ("a", "an", "the", "and"), "zh": ("一个", "这个", "的", "而且是")}


def plural(noun: str) -> str:
    """The English plural of a kind's phrase."""
    return noun + ("es" if noun.endswith("x") else "s")


def lexicon() -> dict[str, list[str]]:
    """Every word and phrase that the grammar can write, per language, sorted.

    English: lower-case words, and the phrases of several words whole; Chinese: what a longest
    match cuts a caption into. Punctuation is none of it.
    """
    found: dict[str, set[str]] = {language: set(AROUND[language]) for language in LANGUAGES}
    for slot, values in PHRASES.items():
        for phrases in values.values():
            for language in LANGUAGES:
                for phrase in phrases[language]:
                    found[language].update((phrase,) if isinstance(phrase, str) else phrase)
            if slot == "kind":
                found["en"].update(plural(phrase) for phrase in phrases["en"])
    for templates in TEMPLATES.values():
        for language in LANGUAGES:
            for template in templates[language]:
                literal = re.split(r"\{\w+\}|[,，\s]+", template)
                found[language].update(word for word in literal if word)
    for phrase in list(found["en"]):
        found["en"].update(phrase.split())
    return {language: sorted(words) for language, words in found.items()}
