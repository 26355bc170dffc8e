"""Words for how a scene is seen: styles and the camera's moves."""

from __future__ import annotations

from worldreel.world.words.row import Table, row

FILMING: dict[str, Table] = {
    "style": (
        row(
            "render",
            "as a 3-D render; in 3-D render style; in the style of a 3-D render; in 3D; "
            "as 3D animation; rendered in 3D; in 3D animation style",
            "三维渲染风格; 三维动画风格; 三维风格; 3d 风格; 3d 动画风格",
        ),
        row(
            "paper craft",
            "in paper-craft style; in the style of paper craft; as paper craft; "
            "in papercraft style; in paper-cut style; in origami style; as origami",
            "纸艺风格; 手工纸艺风格; 纸雕风格; 剪纸风格; 折纸风格",
        ),
        row(
            "black and white",
            "in black and white; in black-and-white style; as a black-and-white film; "
            "in monochrome; in black & white; in grayscale; in a black-and-white film",
            "黑白风格; 黑白影像风格; 黑白电影风格; 黑白片风格",
        ),
        row(
            "pixel art",
            "as pixel art; in pixel-art style; in the style of pixel art; in pixel style; "
            "in pixel art; in pixelated style; as a pixel-art game",
            "像素画风格; 像素风格; 像素艺术风格; 像素风; 像素游戏风格",
        ),
        row(
            "watercolour",
            "as a watercolour; in watercolour style; as a watercolour painting; "
            "as a watercolor; in watercolor style; in watercolor; in watercolour; "
            "painted in watercolor; like a watercolor painting",
            "水彩画风格; 水彩风格; 水彩画风; 水彩画",
        ),
    ),
    "medium": (  # style as what one sees
        row(
            "render",
            "3-D render; 3D animation; 3D render; 3D; render; 3D scene",
            "三维动画; 三维渲染; 3d 动画; 3d 渲染; 三维; 三维画面",
        ),
        row(
            "paper craft",
            "paper-craft scene; paper-craft animation; paper craft; papercraft; "
            "papercraft animation; paper cut-out animation; origami",
            "纸艺动画; 纸艺作品; 纸艺; 剪纸动画; 折纸动画; 剪纸; 折纸",
        ),
        row(
            "black and white",
            "black-and-white film; black-and-white shot; black-and-white movie; "
            "black-and-white footage; black and white; monochrome; black & white; "
            "monochrome film; grayscale",
            "黑白影片; 黑白画面; 黑白电影; 黑白片; 黑白; 黑白视频; 黑白镜头",
        ),
        row(
            "pixel art",
            "pixel-art scene; pixel-art animation; pixel art; pixel style; pixelated; "
            "pixel-art game; pixelated scene",
            "像素画; 像素动画; 像素; 像素艺术; 像素风; 像素游戏",
        ),
        row(
            "watercolour",
            "watercolour painting; watercolour; watercolor; watercolor painting; "
            "(watercolor|watercolour) style; watercolor animation",
            "水彩画; 水彩动画; 水彩; 水彩画面",
        ),
    ),
    "camera": (  # English: a clause/a tag
        row(
            "static",
            "the camera stays still/static camera; the camera does not move/fixed camera; "
            "the camera is static/static shot; the camera is fixed/still camera; "
            "the camera remains static/locked camera; the camera stands still/camera static; "
            "?the camera is still; ?the camera still",
            "镜头 静止; 镜头 固定不动; 镜头 保持 静止; 固定 镜头; 镜头 不动; 静止 镜头; 固定 机位; "
            "摄像机 不动",
        ),
        row(
            "pan_left",
            "the camera pans left/pan left; the camera pans to the left/camera panning left; "
            "the camera turns left/left pan; the camera pans leftward/camera pans left; "
            "the camera moves left/camera moves left; the camera swings left/pan to the left; "
            "the camera moves to the left/camera moves to the left; "
            "the camera turns to the left/camera turning left",
            "镜头 向左 摇; 镜头 左摇; 镜头 向左 转; 镜头 向左 移动; 镜头 左移; 镜头 往左 摇; "
            "镜头 向左 平移; 镜头 往左 移; 摄像机 向左 摇; 镜头 摇向 左边",
        ),
        row(
            "pan_right",
            "the camera pans right/pan right; the camera pans to the right/camera panning right; "
            "the camera turns right/right pan; the camera pans rightward/camera pans right; "
            "the camera moves right/camera moves right; the camera swings right/pan to the right; "
            "the camera moves to the right/camera moves to the right; "
            "the camera turns to the right/camera turning right",
            "镜头 向右 摇; 镜头 右摇; 镜头 向右 转; 镜头 向右 移动; 镜头 右移; 镜头 往右 摇; "
            "镜头 向右 平移; 镜头 往右 移; 摄像机 向右 摇; 镜头 摇向 右边",
        ),
        row(
            "tilt_up",
            "the camera tilts up/tilt up; the camera tilts upward/camera tilting up; "
            "the camera looks up/upward tilt; the camera tilts upwards/camera tilts up; "
            "the camera looks upward/look up",
            "镜头 向上 仰; 镜头 上仰; 镜头 向上 倾斜; 镜头 上摇; 镜头 向上 摇; 镜头 仰起; "
            "镜头 抬起; 镜头 往上 抬; 摄像机 向上 仰; 镜头 往上 摇",
        ),
        row(
            "tilt_down",
            "the camera tilts down/tilt down; the camera tilts downward/camera tilting down; "
            "the camera looks down/downward tilt; the camera tilts downwards/camera tilts down; "
            "the camera looks downward/look down",
            "镜头 向下 俯; 镜头 下俯; 镜头 向下 倾斜; 镜头 下摇; 镜头 向下 摇; 镜头 俯下; "
            "镜头 往下 摇; 摄像机 向下 俯",
        ),
        row(
            "dolly_in",
            "the camera dollies in/dolly in; the camera pushes in/camera pushing in; "
            "the camera moves closer/push in; the camera zooms in/zoom in; "
            "the camera moves in/camera moves in; the camera moves forward/camera moves forward; "
            "the camera zooms in slowly/slow zoom in; the camera comes closer/camera zooming in",
            "镜头 推近; 镜头 向前 推进; 镜头 推进; 镜头 拉近; 推 镜头; 镜头 前推; 镜头 向前 移动; "
            "镜头 靠近; 推近 镜头; 镜头 慢慢 推近; 摄像机 推近; 镜头 往前 推; 镜头 放大",
        ),
        row(
            "dolly_out",
            "the camera dollies out/dolly out; the camera pulls back/camera pulling back; "
            "the camera moves back/pull back; the camera zooms out/zoom out; "
            "the camera moves away/camera moves back; the camera backs away/pull out; "
            "the camera moves backward/camera moves backward; the camera pulls out/"
            "camera zooming out; the camera zooms out slowly/slow zoom out",
            "镜头 拉远; 镜头 向后 拉; 镜头 后退; 镜头 后拉; 拉 镜头; 镜头 往后退; 镜头 向后 退; "
            "镜头 向后 移动; 拉远 镜头; 镜头 慢慢 拉远; 摄像机 拉远; 镜头 缩小",
        ),
        row(
            "orbit_left",
            "the camera orbits left/orbit left; the camera circles to the left/"
            "camera orbiting left; the camera arcs to the left/left orbit; "
            "the camera circles left/camera circling left; "
            "the camera orbits to the left/camera orbits left; "
            "the camera moves around to the left/camera moves left around it; "
            "the camera rotates left/camera rotating left; "
            "the camera circles around to the left/circling left",
            "镜头 向左 环绕; 镜头 向左 绕行; 镜头 绕向 左侧; 镜头 绕 到 左边; 镜头 往左 绕; "
            "环绕 镜头 向左; 镜头 向左 旋转; 镜头 绕着 它 向左 转; 镜头 绕 向左边; "
            "摄像机 向左 环绕",
        ),
        row(
            "orbit_right",
            "the camera orbits right/orbit right; the camera circles to the right/"
            "camera orbiting right; the camera arcs to the right/right orbit; "
            "the camera circles right/camera circling right; "
            "the camera orbits to the right/camera orbits right; "
            "the camera moves around to the right/camera moves right around it; "
            "the camera rotates right/camera rotating right; "
            "the camera circles around to the right/circling right",
            "镜头 向右 环绕; 镜头 向右 绕行; 镜头 绕向 右侧; 镜头 绕 到 右边; 镜头 往右 绕; "
            "环绕 镜头 向右; 镜头 向右 旋转; 镜头 绕着 它 向右 转; 镜头 绕 向右边; "
            "摄像机 向右 环绕",
        ),
        row(
            "crane_up",
            "the camera cranes up/crane up; the camera rises/camera rising; "
            "the camera moves up on a crane/crane shot; the camera moves up/camera moves up; "
            "the camera goes up/camera rises; the camera rises up/rising camera; "
            "the camera lifts up/boom up; the camera moves upward/rising shot",
            "镜头 升起; 镜头 向上 升起; 镜头 升高; 镜头 上升; 镜头 向上 移动; 镜头 缓缓 升起; "
            "升 镜头; 镜头 往上 升; 摄像机 升高; 镜头 升上去",
        ),
        row(
            "follow",
            "the camera follows along/tracking shot; the camera tracks along/follow shot; "
            "the camera follows the action/camera following; the camera follows/camera follows; "
            "the camera moves along/following camera; the camera keeps following/follow cam",
            "镜头 跟随 移动; 镜头 一路 跟拍; 镜头 一路 跟随; 镜头 跟随; 跟拍; 镜头 跟拍; 跟 镜头; "
            "镜头 跟着 移动; 跟随 镜头; 摄像机 跟拍",
        ),
    ),
    "follows": (
        row(
            "follow",
            "follows; tracks; keeps up with; follows along with",
            "跟随; 跟拍; 追随; 跟; 跟踪",
        ),
    ),
}
