"""How captions are put together: clause -> language -> templates.

{slot} is filled by a phrase or by another clause (`slots`), [..] is left out where its slots are.
"""

from __future__ import annotations

from worldreel.world.words.frames import ADJUNCTS, FRAMES, SHOTS

# Things by name. `thing`, `known` and `looks` are all that can be one, for who reads.
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "named": {
        "en": (
            "[{looks} ]{noun}",
            "[{size} ]{heap} of [{looks} ]{pieces}",
            "[{size} ]{person} in a {color} {garment}",
            "[{size} ]{person} wearing a {color} {garment}",
            "[{size} ]{person} dressed in {color}",
            "[{size} ]{person} in {color}",
            "[{size} ]{person} with a {color} {garment}",
            "[{looks} ]{noun} that is {color}",
        ),
        "zh": (
            "[{looks}]{noun}",
            "[{size}]穿{color}{garment}的{person}",
            "[{size}]穿着{color}{garment}的{person}",
            "[{size}]身穿{color}{garment}的{person}",
            "[{size}]穿{color}衣服的{person}",
            "[{size}]穿{color}{attire}的{person}",
            "[{size}]{color}{attire}{person}",
            "?[{size}]穿{color}的{garment}的{person}",
            "?[{size}]穿着{color}的{garment}的{person}",
        ),
    },
    "nameds": {
        "en": (
            "[{looks} ]{nouns}",
            "[{size} ]{heaps} of [{looks} ]{pieces}",
            "[{size} ]{persons} in {color} {garments}",
            "[{size} ]{persons} wearing {color} {garments}",
            "[{size} ]{persons} dressed in {color}",
            "[{size} ]{persons} in {color}",
            "[{looks} ]{nouns} that are {color}",
        ),
        "zh": (),
    },
    "new": {
        "en": (
            "{number} {named}",
            "{number} {nameds}",
            "{number} {doing so} {named}",
            "{number} {doing so} {nameds}",
        ),
        "zh": ("{number}{measure}{named}", "{number}{measure}{doing so}的{named}"),
    },
    "more": {
        "en": ("another {named}", "{number} other {nameds}", "{number} more {nameds}"),
        "zh": ("另{number}{measure}{named}", "另外{number}{measure}{named}"),
    },
    "bare": {
        "en": ("{named}", "{person} in {color} {garment}", "?{nameds}"),
        "zh": ("{named}",),
    },
    "again": {
        "en": ("the {named}", "the {nameds}", "the {number} {nameds}", "the [{looks} ]{heap}"),
        "zh": (
            "这{measure}{named}",
            "这{number}{measure}{named}",
            "?那{measure}{named}",
            "?该{named}",
        ),
    },
    "doing so": {
        "en": ("{doing}",),
        "zh": ("{way}{does}", "{goes}", "正在{goes}", "正在{way}{goes}"),
    },
    "thing": {
        "en": ("{new}", "{more}", "{again}", "{bare}", "{it}"),
        "zh": ("{new}", "{more}", "{again}", "{bare}", "{it}"),
    },
    "known": {"en": ("{again}", "{it}", "{them}"), "zh": ("{again}", "{it}", "{them}")},
    "looks": {
        "en": ("{look}", "{look} {looks}"),
        "zh": ("{look}", "{look}的", "{look}{looks}", "{look}的{looks}"),
    },
    "look": {
        "en": ("{size}", "{material}", "{color}"),
        "zh": ("{size}", "{material}", "{color}", "?{anything}的", "?的"),
    },
    "things": {
        "en": (
            "{thing1}",
            "{thing1} and {thing2}",
            "{thing1}, {thing2} and {thing3}",
            "{thing1}, {thing2}, {thing3} and {thing4}",
        ),
        "zh": (
            "{thing1}",
            "{thing1}和{thing2}",
            "{thing1}、{thing2}和{thing3}",
            "{thing1}、{thing2}、{thing3}和{thing4}",
        ),
    },
}

# Who does what. A clause of a sentence, and its tag: without a finite verb.
CLAUSES: dict[str, dict[str, tuple[str, ...]]] = {
    "acts": {
        "en": (
            "{a} {does}[ {way}]",
            "{a} {is} {doing}[ {way}]",
            "{a} {does}[ {way}] and {happens}",
            "{a} {is} {doing}[ {way}] and {happening}",
        ),
        "zh": (
            "{a}[{all}][{where}][{way}]{does}",
            "{a}[{all}]正在[{way}]{goes}",
            "{a}[{all}]正{where}[{way}]{goes}",
            "{a}[{all}][{where}]{way}{does}{pull}",
            "{a}[{all}][{way}]{crosses}过{setting}",
            "{a}[{all}][{where}]从{from}{crosses}到{to}",
            "{a}[{all}][{where}]{does}{nearing}",
            "{a}[{all}]{does}{nearing}",
            "?{a}[{where}]{does}{way}",
            "?{a}在[{way}]{does}",
        ),
    },
    "falls": {
        "en": ("{a} {does}", "{a} {is} {doing}", "{a} {does} and {happens}"),
        "zh": (
            "{a}[{all}]{does}",
            "{a}[{all}]正在{goes}",
            "{a}[{all}]{lands}{spot}",
            "{a}[{all}]{where}{goes}",
        ),
    },
    "rests": {
        "en": (
            "{a} {does}",
            "{a} {is} {doing}",
            "{a} {does} and {happens}",
            "{a} {is} {doing} and {happening}",
        ),
        "zh": (
            "{a}[{all}][{where}]{does}",
            "{a}[{all}]{stays}{where}",
            "{a}[{all}]{stays}{where}，{happens}",
            "{a}[{all}][{where}]{does}，并{happens}",
        ),
    },
    "happens": {
        "en": ("{a} {happens}", "{a} {is} {happening}"),
        "zh": ("{a}[{all}][{where}]{happens}",),
    },
    "exists": {
        "en": (),
        "zh": ("[{spot}]有{a}", "[{spot}]可以看到{a}"),
    },
    # Chinese, for the first of several: there is who does what. English puts that around a tag.
    "there acts": {"en": (), "zh": ("[{spot}]有{a}正在[{way}]{goes}",)},
    "there falls": {"en": (), "zh": ("[{spot}]有{a}{does}",)},
    "there rests": {"en": (), "zh": ("[{spot}]有{a}{does}", "{spot}{sits}着{a}")},
    "hits": {
        "en": (
            "{a} {hits} {b}",
            "{a} {moves}[ {way}] and {hits} {b}",
            "{a} {moves}[ {way}] until {it} {hits} {b}",
            "{a} {moving} {way} {hits} {b}",
        ),
        "zh": (
            "{a}[{where}]{hits}{b}",
            "{a}[{where}]{hits}了{b}",
            "{a}[{where}][{way}]{moves}，{hits}了{b}",
            "{a}[{where}][{way}]{moves}，{hits}{b}",
            "{a}[{where}][{way}]{moves}并{hits}{b}",
        ),
    },
    "struck": {  # the same, the other way round
        "en": ("{b} {is} {hit} by {a}", "{b} {is} {hit} by {a} {moving} {way}"),
        "zh": ("{b}[{where}]被{a}{hit}",),
    },
    "overturns": {  # it hits a row or a stack, which falls over
        "en": (
            "{a} {overturns} {b}",
            "{a} {moves}[ {way}] and {overturns} {b}",
            "{a} {moving} {way} {overturns} {b}",
        ),
        "zh": (
            "{a}[{where}]{overturns}了{b}",
            "{a}[{where}][{way}]{moves}，{overturns}了{b}",
            "{a}[{where}][{way}]{moves}并{overturns}{b}",
        ),
    },
    "strikes": {"en": ("{a} {hits} {b}, {moving} {way}",), "zh": ()},
    "stacks": {
        "en": ("{a} {stacks} {b}", "{a} {is} {stacking} {b}"),
        "zh": ("{a}{stacks}{b}{atop}", "{a}{stacks}了{b}{atop}"),
    },
    "pair": {
        "en": (
            "{a} {does} {side} {b}",
            "{a} {is} {side} {b}",
            "{a} {is} {doing} {side} {b}",
            "{a} {is} {flank} and {b} {is} {other}",
            "{a} {is} {flank} and {b} {other}",
        ),
        "zh": (
            "{a}在{b}的{side}",
            "{a}位于{b}的{side}",
            "{a}{stays}在{b}的{side}",
            "{flank}是{a}，{other}是{b}",
            "{a}在{flank}，{b}在{other}",
        ),
    },
    "beyond": {"en": (), "zh": ("{b}的{side}有{a}",)},  # the same, the other way round
    "topples": {
        "en": ("{a} {topples}[ {way}]", "{a} {is} {toppling}[ {way}]"),
        "zh": ("{a}[{all}][{where}][{way}]{topples}", "{a}[{all}]{where}[{way}]{topples}"),
    },
    "tag acts": {
        "en": ("{a} {doing}[ {way}]", "{a} {doing}[ {way}] and {happening}"),
        "zh": (
            "{a}[{where}][{way}]{does}",
            "{a}[{where}]{way}{does}{pull}",
            "{a}[{where}]从{from}{crosses}到{to}",
            "{a}[{where}]{does}{nearing}",
            "{a}[{way}]{crosses}过{setting}",
            "{spot}的{a}[{way}]{does}",
        ),
    },
    "tag going": {
        "en": ("{doing} {a}",),
        "zh": (
            "[{where}]{way}{does}的{a}",
            "[{spot}]{goes}的{a}",
            "[{where}]{goes}的{a}",
            "[{spot}]正在{goes}的{a}",
        ),
    },
    "tag rests": {
        "en": ("{a} {doing}", "{a} {doing} and {happening}"),
        "zh": (
            "{a}[{where}]{does}",
            "{a}[{where}]{does}并{happens}",
            "{a}{stays}{where}",
            "{spot}{sits}着{a}",
        ),
    },
    "tag falls": {
        "en": ("{a} {doing}", "{a} {doing} and {happening}"),
        "zh": ("{a}{does}", "{a}{lands}{spot}", "{a}{where}{goes}"),
    },
    "tag topples": {"en": ("{a} {toppling}[ {way}]",), "zh": ("{a}[{way}]{topples}",)},
    "tag happens": {"en": ("{a} {happening}",), "zh": ("{a}[{where}]{happens}",)},
    "tag exists": {"en": ("{a}",), "zh": ("{a}", "{spot}的{a}", "{spot}有{a}")},
    "tag hits": {
        "en": (
            "{a} {hitting} {b}",
            "{a} {moving}[ {way}] and {hitting} {b}",
        ),
        "zh": ("{a}{hits}{b}", "{a}[{way}]{moves}，{hits}{b}"),
    },
    "tag struck": {
        "en": ("{b} {hit} by {a}", "{b} {hit} by {a} {moving} {way}"),
        "zh": ("{b}被{a}{hit}",),
    },
    "tag overturns": {
        "en": ("{a} {overturning} {b}", "{a} {moving}[ {way}] and {overturning} {b}"),
        "zh": ("{a}{overturns}{b}", "{a}[{way}]{moves}，{overturns}{b}"),
    },
    "tag strikes": {"en": ("{a} {hitting} {b}, {moving} {way}",), "zh": ()},
    "tag stacks": {"en": ("{a} {stacking} {b}",), "zh": ("{a}{stacks}{b}{atop}",)},
    "tag pair": {
        "en": ("{a} {side} {b}", "{a} {doing} {side} {b}", "{a} {flank}, {b} {other}"),
        "zh": ("{a}在{b}{side}", "{flank}{a}，{other}{b}"),
    },
    "also": {
        "en": ("there {is} also {a}", "{a} {is} nearby", "{a} can be seen nearby"),
        "zh": ("附近还有{a}", "画面中还有{a}", "旁边还有{a}"),
    },
    "detail": {
        "en": (
            "{the} {is} {measured}",
            "{the} {is} {made}",
            "{the} {is} {measured} and {made}",
            "{the} {is} {made} and {measured}",
        ),
        "zh": (
            "{the}{measured}",
            "{the}{made}",
            "{the}{measured}，{made}",
            "{the}{made}，{measured}",
        ),
    },
}

# What follows a clause and has its subject, or its object, from there.
TAILS: dict[str, dict[str, tuple[str, ...]]] = {
    "tail": {
        "en": (", then {happens}", " and then {happens}"),
        "zh": ("，{then}{happens}",),
    },
    "tag tail": {"en": (", then {happening}",), "zh": ("，{then}{happens}",)},
    "fall": {
        "en": (
            ", which {topples}",
            " and {fells}",
            ", {felling}",
            ", and {the} {topples}",
            ", and {then} {the} {topples}",
        ),
        "zh": (
            "，{fells}",
            "并{fells}",
            "，使其{topples}",
            "，{the}{topples}",
            "，{then}{the}{topples}",
        ),
    },
    "tag fall": {"en": (", {felling}",), "zh": ("并{fells}", "，{fells}")},
}

TEMPLATES = {**NAMES, **CLAUSES, **TAILS, **ADJUNCTS, **FRAMES, **SHOTS}
