"""Words for what things do: actions and events.

An English verb is `rolls/roll/rolling`: one thing, several, participle. A Chinese verb of one
character stands only after a direction: 向左滚. One with an exclamation mark never does: 站着!.
"""

from __future__ import annotations

from worldreel.world.scene import THINGS
from worldreel.world.words.nouns import ANIMALS, HEAPS, PEOPLE, VEHICLES
from worldreel.world.words.row import Table, row

_SINGLE = tuple(kind for kind in THINGS if kind not in HEAPS)
_STEPPING = ("mammoth", "dog")

VERBS: dict[str, Table] = {
    "action": (
        row(
            "rests",
            "rests/rest/resting; lies still/lie still/lying still; "
            "sits still/sit still/sitting still; sits/sit/sitting; lies/lie/lying; "
            "stays still/stay still/staying still; lay/lay/lying; "
            "does not move/do not move/not moving",
            "静止不动!; 静静地待着!; 一动不动!; 静止!; 不动!; 静止着!",
            _SINGLE,
        ),
        row(
            "rests",
            "rests/rest/resting; stands still/stand still/standing still; stands/stand/standing; "
            "stood/stood/standing",
            "静止不动!; 静静地立着!; 一动不动!",
            HEAPS,
        ),
        row(
            "rolls",
            "rolls/roll/rolling; rolls/roll/rolling; rolled/rolled/rolling",
            "滚动; 滚动; 滚; 滚",
        ),
        row(
            "slides",
            "slides/slide/sliding; glides/glide/gliding; slid/slid/sliding",
            "滑动; 滑; 滑; 滑行",
        ),
        row(
            "falls",
            "falls and bounces/fall and bounce/falling and bouncing; "
            "drops and bounces/drop and bounce/dropping and bouncing; "
            "falls down/fall down/falling down; "
            "drops from above/drop from above/dropping from above; "
            "falls from above/fall from above/falling from above; "
            "falls/fall/falling; falls/fall/falling; drops/drop/dropping; drops/drop/dropping; "
            "bounces/bounce/bouncing; bounces/bounce/bouncing; "
            "bounces up and down/bounce up and down/bouncing up and down; "
            "falls from the sky/fall from the sky/falling from the sky; "
            "drops down/drop down/dropping down; fell/fell/falling; bounced/bounced/bouncing; "
            "fell and bounced/fell and bounced/falling and bouncing; "
            "is dropped/are dropped/dropped; dropped/dropped/dropping",
            "落下 并 弹起!; 从 空中 落下!; 掉下来 又 弹起来!; 下落 后 反弹!; 从 高处 掉下来!; "
            "落下!; 掉下来!; 掉下来!; 落下来!; 掉落; 下落; 弹跳; 弹跳; 坠落; 落下 又 弹起!; "
            "弹来弹去!; "
            "掉下来 弹了几下!; 从 天上 掉下来!; 往下 掉!; 弹起来!; 蹦跳; 弹起!",
        ),
        row(
            "flies",
            "flies through the air/fly through the air/flying through the air; "
            "is thrown through the air/are thrown through the air/thrown through the air; "
            "is tossed through the air/are tossed through the air/tossed through the air; "
            "flies/fly/flying; flies/fly/flying; is thrown/are thrown/thrown; "
            "is thrown into the air/are thrown into the air/thrown into the air; "
            "flies in the air/fly in the air/flying in the air; "
            "goes flying/go flying/going flying; flew/flew/flying; "
            "was thrown/were thrown/thrown; is tossed/are tossed/tossed",
            "凌空 飞过; 飞; 飞; 腾空 飞行; 被 抛到 空中!; 被 扔到 空中!; 被 抛向 空中!; 飞行; "
            "被 扔出去!; 飞 在 空中!; 在 空中 飞行!; 被 扔向 空中!; 被 抛出去!",
        ),
        row(
            "flies",
            "flies/fly/flying; flies/fly/flying; soars/soar/soaring; flew/flew/flying; "
            "flies through the air/fly through the air/flying through the air; "
            "flies in the sky/fly in the sky/flying in the sky; "
            "soars through the sky/soar through the sky/soaring through the sky",
            "飞行; 飞; 飞; 飞翔; 翱翔; 在 空中 飞!; 在 天上 飞!; 在 天空中 飞翔!; "
            "在 空中 翱翔!; 飞舞",
            ("dragon",),
        ),
        row(
            "topples",
            "topples over/topple over/toppling over; tumbles down/tumble down/tumbling down; "
            "falls over/fall over/falling over; fell over/fell over/falling over",
            "翻倒!; 倒下!; 倒了!; 倒下来!",
        ),
        row(
            "topples",
            "topples over/topple over/toppling over; topples/topple/toppling; "
            "falls one after another/fall one after another/falling one after another; "
            "falls over/fall over/falling over; "
            "falls one by one/fall one by one/falling one by one; "
            "topples one by one/topple one by one/toppling one by one; "
            "fell over/fell over/falling over; tips over/tip over/tipping over",
            "依次 倒下!; 接连 倒下!; 一个接一个 倒下!; 倒下!; 倒下!; 一个接一个地 倒下!; 倒了!; "
            "翻倒!; 倾倒!",
            ("dominoes",),
        ),
        row(
            "topples",
            "topples over/topple over/toppling over; tumbles down/tumble down/tumbling down; "
            "collapses/collapse/collapsing; falls over/fall over/falling over; "
            "comes crashing down/come crashing down/crashing down; "
            "collapsed/collapsed/collapsing; falls apart/fall apart/falling apart",
            "倒塌!; 垮塌!; 塌下来!; 倒下!; 塌了!; 倒塌了!; 倒了!; 散落!; 垮掉!; 倒下来!",
            ("blocks",),
        ),
        row(
            "stands",
            "stands/stand/standing; stands still/stand still/standing still; "
            "stands in place/stand in place/standing in place; stands/stand/standing; "
            "stands there/stand there/standing there; waits/wait/waiting; stood/stood/standing; "
            "does not move/do not move/not moving",
            "站着!; 站着!; 站立不动!; 静静地站着!; 站着 不动!; 站立!; 一动不动地 站着!; 等待; "
            "等着!",
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
            "stands still/stand still/standing still; is parked/are parked/parked; "
            "is parked/are parked/parked; stands/stand/standing; was parked/were parked/parked; "
            "waits/wait/waiting; parks/park/parking",
            "停着!; 停着不动!; 停放着!; 静止不动!",
            ("car",),
        ),
        row(
            "stands",
            "stands still/stand still/standing still; waits/wait/waiting; stands/stand/standing",
            "停着!; 停着不动!; 静止不动!",
            ("train",),
        ),
        row(
            "stands",
            "lies at anchor/lie at anchor/lying at anchor; "
            "floats in place/float in place/floating in place; is anchored/are anchored/anchored; "
            "floats/float/floating; lies still/lie still/lying still",
            "停泊着!; 停着不动!; 停着!; 静止不动!",
            ("ship",),
        ),
        row(
            "walks",
            "walks/walk/walking; walks/walk/walking; strolls/stroll/strolling; "
            "walks/walk/walking; wanders/wander/wandering; walked/walked/walking; "
            "strolled/strolled/strolling; steps/step/stepping",
            "走; 走; 行走; 步行; 漫步; 散步; 走路; 走着!",
            PEOPLE,
        ),
        row(
            "walks",
            "walks/walk/walking; walks/walk/walking; plods/plod/plodding; "
            "marches/march/marching; trudges/trudge/trudging; walked/walked/walking",
            "走; 走; 行走; 走动; 前行; 迈步",
            ("mammoth", "dragon"),
        ),
        row(
            "walks",
            "walks/walk/walking; walks/walk/walking; walked/walked/walking",
            "走; 行走; 走动; 走路",
        ),
        row(
            "runs",
            "runs/run/running; runs/run/running; jogs/jog/jogging; ran/ran/running; "
            "sprints/sprint/sprinting; runs/run/running; dashes/dash/dashing",
            "跑; 跑; 奔跑; 跑步; 慢跑; 飞奔; 小跑",
            PEOPLE,
        ),
        row(
            "runs",
            "runs/run/running; runs/run/running; races/race/racing; ran/ran/running; "
            "runs/run/running; dashes/dash/dashing; trots/trot/trotting",
            "跑; 跑; 奔跑; 飞奔; 跑动; 小跑",
        ),
        row(
            "swims",
            "swims/swim/swimming; swims/swim/swimming; swam/swam/swimming",
            "游; 游; 游动; 游泳; 游来游去!",
        ),
        row("swims", "swims/swim/swimming", "游; 游泳; 游动", (*PEOPLE, "dog", "mammoth")),
        row(
            "sails",
            "sails/sail/sailing; sails/sail/sailing; cruises/cruise/cruising; "
            "sailed/sailed/sailing; sails along/sail along/sailing along",
            "航行; 航行; 驶; 开; 行驶; 扬帆 航行; 扬帆",
            ("ship",),
        ),
        row(
            "drives",
            "drives/drive/driving; drives/drive/driving; cruises/cruise/cruising; "
            "speeds/speed/speeding; drove/drove/driving; rides/ride/riding; races/race/racing",
            "行驶; 行驶; 驶; 开; 开; 行进; 飞驰; 奔驰",
            ("car",),
        ),
        row(
            "drives",
            "travels/travel/travelling; drives/drive/driving; chugs/chug/chugging; "
            "runs/run/running; passes/pass/passing; speeds/speed/speeding; rides/ride/riding; "
            "passes by/pass by/passing by; travels/travel/traveling",
            "行驶; 行驶; 驶; 开; 开; 行进; 飞驰; 奔驰",
            ("train",),
        ),
        # No action is said; and what is said of what comes this way.
        row("", "moves/move/moving; moves/move/moving; goes/go/going; heads/head/heading", "移动"),
        row(
            "",
            "moves/move/moving; comes/come/coming; comes/come/coming; came/came/coming",
            "移动; 靠近",
            ("toward",),
        ),
    ),
    "stays": (  # Chinese: what stands before a place, 站 在雪地上
        row("rests", "", "静止; 静静地待; 静静地停; 放; 放; 摆"),
        row("rests", "", "静静地立; 立; 摆; 放", HEAPS),
        row("stands", "", "站; 静静地站; 站立"),
        row("stands", "", "停; 静静地停", ("fish", *VEHICLES)),
        row("stands", "", "停泊; 停", ("ship",)),
    ),
    "sits": (  # Chinese: what stands behind a place and before 着, 桌上放着
        row("rests", "", "放; 放; 摆"),
        row("rests", "", "放; 立; 摆", HEAPS),
        row("stands", "", "站"),
        row("stands", "", "停", ("fish", *VEHICLES)),
        row("stands", "", "停; 停泊", ("ship",)),
    ),
    "lands": (row("falls", "", "落在; 落到; 掉在; 掉到; 落到; 掉落在"),),  # 落在雪地上
    "collision": (
        row(
            "hits",
            "hits/hit/hitting; strikes/strike/striking; "
            "collides with/collide with/colliding with; bumps into/bump into/bumping into; "
            "hits/hit/hitting; crashes into/crash into/crashing into; "
            "smashes into/smash into/smashing into; runs into/run into/running into; "
            "knocks into/knock into/knocking into; slams into/slam into/slamming into",
            "撞上; 撞到; 碰到; 撞; 撞; 撞击; 碰上; 撞向",
        ),
    ),
    "hit": (row("hits", "hit; struck; bumped", "撞上; 撞到; 碰到"),),  # by another
    "landing": (
        row(
            "stacks",
            "lands on top of/land on top of/landing on top of; "
            "falls onto/fall onto/falling onto; drops onto/drop onto/dropping onto; "
            "comes to rest on top of/come to rest on top of/coming to rest on top of; "
            "lands on/land on/landing on; falls on top of/fall on top of/falling on top of; "
            "lands on/land on/landing on; drops on top of/drop on top of/dropping on top of; "
            "falls on/fall on/falling on; landed on/landed on/landing on",
            "落在; 落在; 掉在; 稳稳地落在; 叠在; 掉到; 落到",
        ),
    ),
    "atop": (row("stacks", "", "上面; 顶上; 上方; 上; 上"),),
    "overturning": (
        row(
            "overturns",
            "knocks over/knock over/knocking over; knocks down/knock down/knocking down; "
            "knocked over/knocked over/knocking over",
            "撞倒; 撞倒; 撞翻; 碰倒; 撞塌",
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
    "then": (row("before", "then; then; after that", "随后; 接着; 然后; 之后"),),
    "event": (
        row(
            "stops",
            "stops/stop/stopping; comes to a stop/come to a stop/coming to a stop; "
            "comes to a halt/come to a halt/coming to a halt; stops/stop/stopping; "
            "stopped/stopped/stopping",
            "停下来; 停下来; 停住; 停下; 停下了; 停了下来",
        ),
        row(
            "stops",
            "stops/stop/stopping; comes to a stop/come to a stop/coming to a stop; "
            "comes to a halt/come to a halt/coming to a halt; stops/stop/stopping; "
            "stopped/stopped/stopping",
            "停下来; 停住 脚步; 停下 脚步; 停下; 停了下来",
            (*PEOPLE, "robot", *_STEPPING),
        ),
        row(
            "turns",
            "turns round/turn round/turning round; turns around/turn around/turning around; "
            "turns back/turn back/turning back; turned around/turned around/turning around",
            "转过身来; 转身; 转身; 转过身去; 转过身; 回头; 转身 回头",
        ),
        row(
            "turns",
            "turns round/turn round/turning round; turns around/turn around/turning around; "
            "turns back/turn back/turning back; turned around/turned around/turning around",
            "掉头; 掉转 方向; 调头; 转弯 掉头; 转头",
            VEHICLES,
        ),
        row(
            "turns",
            "turns round/turn round/turning round; turns around/turn around/turning around; "
            "turns back/turn back/turning back; turned around/turned around/turning around",
            "掉头; 转过身来; 掉转 方向; 转身; 调头; 回头",
            ANIMALS,
        ),
        row(
            "jumps",
            "jumps/jump/jumping; leaps into the air/leap into the air/leaping into the air; "
            "jumps up/jump up/jumping up; hops/hop/hopping; jumps/jump/jumping; "
            "leaps/leap/leaping; jumped/jumped/jumping; jumps in the air/jump in the air/"
            "jumping in the air",
            "跳起来; 跳了起来; 一跃而起; 腾空 跃起; 跳跃; 跳; 跳起; 跳一下; 跳了一下; 起跳; 跃起",
        ),
        row(
            "waves",
            "waves/wave/waving; waves a hand/wave a hand/waving a hand; "
            "waves hello/wave hello/waving hello; waves/wave/waving; "
            "waves goodbye/wave goodbye/waving goodbye; waved/waved/waving",
            "挥手; 招手; 挥手 致意; 挥手; 挥挥手; 招招手; 挥手 告别; 打招呼",
        ),
        row(
            "waves",
            "waves its trunk/wave their trunks/waving its trunk; "
            "swings its trunk/swing their trunks/swinging its trunk",
            "挥动 鼻子; 扬起 鼻子",
            ("mammoth",),
        ),
    ),
    "is": (row("", "is/are; was/were", ""),),
    "all": (row("", "", "都"),),
}

IDLE = ("rests", "stands")  # actions of what goes nowhere
