"""Words for what things do: actions, events, directions and sides.

An English verb is `rolls/roll/rolling`: one thing, several, participle. A Chinese verb of one
character stands only after a direction: 向左滚. One with an exclamation mark never does: 站着!.
"""

from __future__ import annotations

from worldreel.world.words.nouns import ANIMALS, HEAPS, PEOPLE, VEHICLES
from worldreel.world.words.row import Table, row

_STEPPING = ("mammoth", "dog")

VERBS: dict[str, Table] = {
    "action": (
        row(
            "rests",
            "rests/rest/resting; lies still/lie still/lying still; "
            "sits still/sit still/sitting still",
            "静止不动!; 静静地待着!; 一动不动!",
        ),
        row(
            "rests",
            "rests/rest/resting; stands still/stand still/standing still",
            "静止不动!; 静静地立着!; 一动不动!",
            HEAPS,
        ),
        row("rolls", "rolls/roll/rolling", "滚动; 滚"),
        row("slides", "slides/slide/sliding; glides/glide/gliding", "滑动; 滑; 滑行"),
        row(
            "falls",
            "falls and bounces/fall and bounce/falling and bouncing; "
            "drops and bounces/drop and bounce/dropping and bouncing; "
            "falls down/fall down/falling down; "
            "drops from above/drop from above/dropping from above; "
            "falls from above/fall from above/falling from above",
            "落下 并 弹起!; 从 空中 落下!; 掉下来 又 弹起来!; 下落 后 反弹!; 从 高处 掉下来!",
        ),
        row(
            "flies",
            "flies through the air/fly through the air/flying through the air; "
            "is thrown through the air/are thrown through the air/thrown through the air; "
            "is tossed through the air/are tossed through the air/tossed through the air",
            "凌空 飞过; 飞; 腾空 飞行; 被 抛到 空中!; 被 扔到 空中!",
        ),
        row(
            "flies",
            "flies/fly/flying; flies/fly/flying; soars/soar/soaring",
            "飞行; 飞; 飞翔; 翱翔",
            ("dragon",),
        ),
        row(
            "topples",
            "topples over/topple over/toppling over; tumbles down/tumble down/tumbling down",
            "翻倒!; 倒下!",
        ),
        row(
            "topples",
            "topples over/topple over/toppling over; topples/topple/toppling; "
            "falls one after another/fall one after another/falling one after another",
            "依次 倒下!; 接连 倒下!; 一个接一个 倒下!",
            ("dominoes",),
        ),
        row(
            "topples",
            "topples over/topple over/toppling over; tumbles down/tumble down/tumbling down; "
            "collapses/collapse/collapsing",
            "倒塌!; 垮塌!; 塌下来!",
            ("blocks",),
        ),
        row(
            "stands",
            "stands/stand/standing; stands still/stand still/standing still; "
            "stands in place/stand in place/standing in place",
            "站着!; 站立不动!; 静静地站着!",
        ),
        row(
            "stands",
            "hovers in place/hover in place/hovering in place; "
            "floats in place/float in place/floating in place",
            "悬停!; 停着不动!",
            ("fish",),
        ),
        row(
            "stands",
            "stands still/stand still/standing still; is parked/are parked/parked",
            "停着!; 停着不动!",
            ("car",),
        ),
        row(
            "stands",
            "stands still/stand still/standing still; waits/wait/waiting",
            "停着!; 停着不动!",
            ("train",),
        ),
        row(
            "stands",
            "lies at anchor/lie at anchor/lying at anchor; "
            "floats in place/float in place/floating in place",
            "停泊着!; 停着不动!",
            ("ship",),
        ),
        row(
            "walks",
            "walks/walk/walking; walks/walk/walking; strolls/stroll/strolling",
            "走; 行走; 步行; 漫步",
            PEOPLE,
        ),
        row(
            "walks",
            "walks/walk/walking; walks/walk/walking; plods/plod/plodding",
            "走; 行走; 走动",
            ("mammoth", "dragon"),
        ),
        row("walks", "walks/walk/walking", "走; 行走; 走动"),
        row("runs", "runs/run/running; runs/run/running; jogs/jog/jogging", "跑; 奔跑", PEOPLE),
        row("runs", "runs/run/running; runs/run/running; races/race/racing", "跑; 奔跑; 飞奔"),
        row("swims", "swims/swim/swimming", "游; 游动"),
        row("swims", "swims/swim/swimming", "游; 游泳!; 游动", (*PEOPLE, "dog", "mammoth")),
        row(
            "sails",
            "sails/sail/sailing; sails/sail/sailing; cruises/cruise/cruising",
            "航行; 驶; 扬帆 航行",
            ("ship",),
        ),
        row(
            "drives",
            "drives/drive/driving; drives/drive/driving; cruises/cruise/cruising",
            "行驶; 驶; 开",
            ("car",),
        ),
        row(
            "drives",
            "travels/travel/travelling; drives/drive/driving; chugs/chug/chugging",
            "行驶; 驶; 开",
            ("train",),
        ),
        row("", "moves/move/moving; moves/move/moving; goes/go/going", "移动"),  # no action is said
    ),
    "stays": (  # Chinese: what stands before a place, 站 在雪地上
        row("rests", "", "静止; 静静地待; 静静地停"),
        row("rests", "", "静静地立; 立", HEAPS),
        row("stands", "", "站; 静静地站; 站立"),
        row("stands", "", "停; 静静地停", ("fish", *VEHICLES)),
        row("stands", "", "停泊; 停", ("ship",)),
    ),
    "collision": (
        row(
            "hits",
            "hits/hit/hitting; strikes/strike/striking; "
            "collides with/collide with/colliding with; bumps into/bump into/bumping into",
            "撞上; 撞到; 碰到",
        ),
    ),
    "hit": (row("hits", "hit; struck; bumped", "撞上; 撞到; 碰到"),),  # by another
    "landing": (
        row(
            "stacks",
            "lands on top of/land on top of/landing on top of; "
            "falls onto/fall onto/falling onto; drops onto/drop onto/dropping onto; "
            "comes to rest on top of/come to rest on top of/coming to rest on top of",
            "落在; 掉在; 稳稳地落在; 叠在",
        ),
    ),
    "atop": (row("stacks", "", "上面; 顶上; 上方"),),
    "overturning": (
        row(
            "overturns",
            "knocks over/knock over/knocking over; knocks down/knock down/knocking down",
            "撞倒; 撞翻",
        ),
    ),
    "fells": (
        row(
            "topples",
            "knocks it over/knock it over/knocking it over; "
            "knocks it down/knock it down/knocking it down",
            "把 它 撞倒; 将 其 撞倒",
        ),
    ),
    "then": (row("before", "then; then; after that", "随后; 接着; 然后"),),
    "event": (
        row(
            "stops",
            "stops/stop/stopping; comes to a stop/come to a stop/coming to a stop; "
            "comes to a halt/come to a halt/coming to a halt",
            "停下来; 停住",
        ),
        row(
            "stops",
            "stops/stop/stopping; comes to a stop/come to a stop/coming to a stop; "
            "comes to a halt/come to a halt/coming to a halt",
            "停下来; 停住 脚步; 停下 脚步",
            (*PEOPLE, "robot", *_STEPPING),
        ),
        row(
            "turns",
            "turns round/turn round/turning round; turns around/turn around/turning around",
            "转过身来; 转身; 转过身去",
        ),
        row(
            "turns",
            "turns round/turn round/turning round; turns around/turn around/turning around",
            "掉头; 掉转 方向",
            VEHICLES,
        ),
        row(
            "turns",
            "turns round/turn round/turning round; turns around/turn around/turning around",
            "掉头; 转过身来; 掉转 方向",
            ANIMALS,
        ),
        row(
            "jumps",
            "jumps/jump/jumping; leaps into the air/leap into the air/leaping into the air; "
            "jumps up/jump up/jumping up; hops/hop/hopping",
            "跳起来; 跳了起来; 一跃而起; 腾空 跃起",
        ),
        row(
            "waves",
            "waves/wave/waving; waves a hand/wave a hand/waving a hand; "
            "waves hello/wave hello/waving hello",
            "挥手; 招手; 挥手 致意",
        ),
        row(
            "waves",
            "waves its trunk/wave their trunks/waving its trunk; "
            "swings its trunk/swing their trunks/swinging its trunk",
            "挥动 鼻子; 扬起 鼻子",
            ("mammoth",),
        ),
    ),
    "direction": (
        row(
            "left",
            "left; to the left; leftward; from right to left",
            "向左; 往左; 从右往左; 从右向左",
        ),
        row(
            "right",
            "right; to the right; rightward; from left to right",
            "向右; 往右; 从左往右; 从左向右",
        ),
        row(
            "toward",
            "toward the camera; towards the viewer; closer to the camera",
            "朝镜头; 向镜头; 朝着 镜头",
        ),
        row(
            "away",
            "away from the camera; away from the viewer; into the distance",
            "向远处; 往远处; 朝远方",
        ),
    ),
    "pull": (  # what Chinese adds to a short verb of motion: 朝镜头走 来
        row("toward", "", "来"),
        row("away", "", "去"),
        row("left", "", "去"),
        row("right", "", "去"),
    ),
    "side": (
        row("left", "to the left of; on the left of; left of", "左边; 左侧; 左面"),
        row("right", "to the right of; on the right of; right of", "右边; 右侧; 右面"),
    ),
    "flank": (
        row("left", "on the left; on the left side", "左边; 左侧"),
        row("right", "on the right; on the right side", "右边; 右侧"),
    ),
    "is": (row("", "is/are", ""),),
    "all": (row("", "", "都"),),
}

IDLE = ("rests", "stands")  # actions of what goes nowhere
