"""Words for where things go, and on which side they are."""

from __future__ import annotations

from worldreel.world.words.row import Table, row

SIDES: dict[str, Table] = {
    "direction": (
        row(
            "left",
            "left; to the left; to the left; leftward; leftwards; from right to left; "
            "toward the left; towards the left; from the right to the left",
            "向左; 向左; 往左; 往左; 从右往左; 从右向左; 从右到左; 朝左; 向左边; 往左边; 朝左边; "
            "从右边往左边",
        ),
        row(
            "right",
            "right; to the right; to the right; rightward; rightwards; from left to right; "
            "toward the right; towards the right; from the left to the right",
            "向右; 向右; 往右; 往右; 从左往右; 从左向右; 从左到右; 朝右; 向右边; 往右边; 朝右边; "
            "从左边往右边",
        ),
        row(
            "toward",
            "toward the camera; towards the camera; towards the viewer; closer to the camera; "
            "toward us; towards us; closer; toward the viewer; closer to us",
            "朝镜头; 向镜头; 朝着 镜头; 朝我们; 向我们; 迎面; 向着 镜头; 往镜头",
        ),
        row(
            "away",
            "away from the camera; away from the viewer; into the distance; away; away; "
            "away from us; off into the distance; further away; far away",
            "向远处; 往远处; 朝远方; 向远方; 往远方; 朝远处",
        ),
    ),
    "pull": (  # what Chinese adds to a short verb of motion: 朝镜头走 来
        row("toward", "", "来; 来; 过来"),
        row("away", "", "去; 去; 远"),
        row("left", "", "去; 过去; 过"),
        row("right", "", "去; 过去; 过"),
    ),
    "nearing": (  # the same, where it says all of the direction: 走过来, 走远了
        row("toward", "", "过来; 过来; 来; 过来了"),
        row("away", "", "远; 远了; 远去; 走了; 走远了"),
    ),
    "start": (  # Chinese: from where and to where, 从左边滚到右边
        row("left", "", "右边; 右侧; 右; 画面 右边; 右面"),
        row("right", "", "左边; 左侧; 左; 画面 左边; 左面"),
    ),
    "goal": (
        row("left", "", "左边; 左侧; 左; 画面 左边; 左面"),
        row("right", "", "右边; 右侧; 右; 画面 右边; 右面"),
    ),
    "side": (
        row(
            "left",
            "to the left of; on the left of; left of; on the left side of",
            "左边; 左侧; 左面; 左方",
        ),
        row(
            "right",
            "to the right of; on the right of; right of; on the right side of",
            "右边; 右侧; 右面; 右方",
        ),
    ),
    "flank": (
        row(
            "left",
            "on the left; on the left; on the left side; on left; at the left",
            "左边; 左侧; 左; 左面",
        ),
        row(
            "right",
            "on the right; on the right; on the right side; on right; at the right",
            "右边; 右侧; 右; 右面",
        ),
    ),
}
