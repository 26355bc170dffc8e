"""Common words that are no words of the world: what they are is enough to pass over them rightly.

SILENT words hold a sentence together and show nothing. IDLE ones are known and change nothing, as
"please" and "cinematic", which is said. The rest of this file keeps one word from being taken for
another: REAL words that differ from a word of the world by a letter, and Chinese compounds, of
which no part is to be read alone: 飞盘 flies nowhere.
"""

from __future__ import annotations


def _split(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(";") if word.strip())


SILENT = {
    "en": frozenset(
        "a an the this that these those of to in on at with from for by as and or but while then "
        "which who whose where when is are was were be been being am it its it's they them their "
        "she he her his him we us i me my our you your there there's here do does did has have had "
        "having get gets got so just only also too very really quite rather some any all both each "
        "one into off up out over s d ll re ve let's lets after before during until nearby next "
        "beside side other another more wearing dressed seen appears appear located through down across along going goes go comes come came moving moves move midway".split()
    ),
    "zh": frozenset(
        "的 了 着 地 得 在 有 是 和 与 跟 同 及 或 而 且 并 也 都 就 还 又 再 把 被 将 从 向 朝 "
        "往 对 给 让 使 其 之 于 以 为 所 这 那 它 它们 他 她 他们 她们 我 我们 你 你们 上 下 里 中 "
        "内 间 边 旁 前 后 外 来 去 过 到 过来 过去 个 只 条 头 辆 列 艘 位 名 台 排 串 摞 叠 堆 颗 "
        "枚 张 座 架 匹 群 朵 片 块 根 支 把 双 对 件 套 棵 栋 家 部 段 场 幅 种 股 道 滴 一 有的 "
        "其中 以及 然后 随后 接着 之后 同时 正在 正 会 能 可以 可是 但是 但 只是 因为 所以 如果 "
        "里面 上面 下面 旁边 附近 身边 面前 它的 他的 她的 我的 我们的 你的 出现 看到 看见 有着 "
        "位于 处于 一起 身穿 穿 穿着 戴 戴着 带 带着 用 由".split()
    ),
}  # fmt: skip

IDLE = {
    "en": _split(
        "please; can you; could you; would you; can you please; could you please; i want; "
        "i would like; i'd like; i want to see; i would like to see; i'd like to see; "
        "i want you to; i need; we want; we need; show; show me; show us; show my students how; show my students; show my class; "
        "show the class; teach my students how; for my students; to my students; make; make me; make us; "
        "create; generate; produce; render me; draw; draw me; give me; give us; let me see; film; "
        "imagine; depict; animate; thanks; thank you; hello; hi; hey; a video of; video of; "
        "video; videos; a clip of; clip of; clip; a movie of; movie of; movie; footage; footage of; "
        "a film of; animation; an animation of; an animation; an animation where; image; "
        "an image of; a still image of; a picture of; picture of; picture; photo; a photo of; "
        "photograph; scene; a scene of; a scene with; a scene where; a shot of; shot of; "
        "view; a view of; a still of; open on; we open on; "
        "cinematic; photorealistic; photo realistic; realistic; hyperrealistic; ultra realistic; "
        "4k; 8k; hd; uhd; full hd; 1080p; 720p; 2k; high quality; best quality; masterpiece; "
        "high resolution; highly detailed; detailed; ultra detailed; sharp; sharp focus; award "
        "winning; beautiful; stunning; epic; dramatic; trending; unreal engine; octane render; "
        "film grain; lens flare; bokeh; soft bokeh; depth of field; shallow depth of field; "
        "slow motion; slow mo; timelapse; time lapse; hyperlapse; macro; macro shot; close up; "
        "closeup; close up of; a close up of; extreme close up; wide shot; wide angle; wide angle "
        "shot; medium shot; long shot; full shot; establishing shot; aerial; aerial shot; aerial "
        "view; drone; drone shot; drone footage; bird's eye view; low angle; low angle shot; high "
        "angle; handheld; handheld footage; handheld camera; steadicam; pov; pov shot; point of "
        "view; slowly; quickly; fast; slow; gently; quietly; suddenly; rapidly; softly; smoothly; "
        "lazily; happily; calmly; gracefully; loop; looping; seamless loop; "
        "in the background; in the foreground; in the middle; in the center; in the "
        "centre; in place; light; lighting; soft light; dim; bright; wooden; neon lit"
    ),
    "zh": _split(
        "请; 请帮我; 帮我; 请帮我生成; 生成; 请生成; 制作; 请做; 做一个; 做个; 请做一个; 请制作; 画; "
        "请画; 请画一个; 我想看; 我想要; 我要; 我要看; 想看; 能不能; 可不可以; 能不能给我; "
        "能不能给我看; 能不能给我看看; 可以给我看; 给我; 给我看; 给我看看; 给我们看; 看看; 来一段; "
        "来个; 谢谢; 你好; 展示; 演示; 给学生演示; 给学生们演示; 给学生看; 给孩子们看; 给同学们演示; 给大家演示;  拍摄; 拍一段; 拍; 视频; 一段视频; 的视频; 短视频; 短片; 影片; "
        "电影; 动画; 动画片; 一个动画; 做一个动画; 画面; 场景; 开场; 图片; 照片; 图像; 静止画面; "
        "特写; 特写镜头; 大特写; 近景; 远景; 全景; 中景; 广角; 微距; 航拍; 俯瞰; 鸟瞰; "
        "低角度; 低角度拍摄; 高角度; 手持; 手持拍摄; 主观视角; 慢动作; 慢镜头; 快动作; 延时摄影; 延时; "
        "定格动画; 无人机航拍; 超高清; 高清; 超清; 4k; 8k; 写实; 超写实; 逼真; 真实感; 电影感; "
        "电影质感; 电影级; 高质量; 高品质; 大师级; 杰作; 细节丰富; 唯美; 浅景深; 景深; 虚化; 散景; "
        "光斑; 光影; 慢慢; 慢慢地; 缓缓; 缓缓地; 缓慢; 缓慢地; 飞快; 飞快地; 快速; "
        "快速地; 迅速; 迅速地; 轻轻; 轻轻地; 静静; 静静地; 悄悄; 悄悄地; 突然; 忽然; 不断; 不停; "
        "不停地; 渐渐; 渐渐地; 逐渐; 原地; 循环; 循环播放; 美丽; 美丽的; 漂亮; 漂亮的; 好看; 好看的; "
        "柔和; 柔光; 明亮; 明亮的; 最后; 首先; 先; 一直; 依次; 非常; 十分; 特别; 很; 好; 太; 最; 更"
    ),
}  # fmt: skip

# English compounds that hold a word of the world and mean something else, and words that look like
# a slip of the finger, or like a form of a word of the world, and are none.
COMPOUNDS = _split(
    "mountain pass; parking lot; ice cream cone; ice cream; snow globe; ring road; ring finger; "
    "wedding ring; engagement ring; phone ring; tin can; trash can; soda can; a can of soda; "
    "watering can; drum kit; drum set; snare drum; paper boat; paper plane; paper airplane; "
    "car park; train station; train tracks; fish tank; fish bowl; fish market; "
    "hot dog; dog house; dog walker; dragon fruit; dragonfly; sea lion; sea horse; sea gull; "
    "sea shell; street food; street light; street lamp; street art; street artist; desert "
    "island; field trip; ball gown; ball room; ball pit; ball game; crystal ball; wrecking ball; "
    "meat ball; disco ball; eye ball; cannon ball; box office; lunch box; mail box; music box; "
    "ice cube; sugar cube; rubik's cube; traffic light; traffic lights; right now; right away; "
    "all right; of course; orange juice; black hole; white noise; "
    "red wine; white wine; red light; green light; green tea; black tea; blue jeans; white house; "
    "red cross; green screen; blue screen; blue whale; brown bear; black bear; white bear; polar "
    "bear; grey wolf; red panda; red carpet; black cat; night club; night sky; night stand; sun "
    "flower; sun glasses; coat of arms; coat of paint; table tennis; table cloth; snow man; snow "
    "ball; snowball; snowman; snowboard; rain bow; rain coat; rain forest; rain drop; rain drops; "
    "fog machine; running water; running shoes; swimming pool; flying saucer; flying carpet; "
    "rolling stone; rolling stones; rolling pin; rolling hills; falling leaves; falling star; "
    "walking stick; sliding door; driving license; sailing boat race; jumping jacks; waves crash; "
    "ocean waves; big waves; sound waves; light waves; heat waves; heat wave; long wave"
)
REAL = frozenset(
    "tow form files lien averaged average averages averaging breach build builds building clashes "
    "clashing cloud clones coding crates denser derive derives deriving driver drivers diving dive "
    "dives driven duping even failing fill filled filling followings guides hearing heights hinting "
    "hopes hoped hoping lacked larger laying leading leaking leaning leasing leaving liners liked "
    "likes liking locker matches matching matter mental mistry nearly noted notes noting packed "
    "packing panes parsed parses parsing pasting passer pauses pausing pinning planning pointing "
    "polling printed prevented printing raises raising rating reader retains reset resets risking "
    "rotate rotates rotated roller rollers rounded saying scroll scrolling second seeding settling "
    "setting settings sharing sifting sites slashes slices slicing slider sliders snowball spaced "
    "spacer spaces spacing spamming spending spends spring springs staging stacked staring starting "
    "starts stashes stashing stating sticks stomps strand strands stride strides striding stripe "
    "stripes striped strive strives stroke subset tacking themes thorough though through threw "
    "titles tracing traces traits trained training tricks tripping tuning waists waiter "
    "waives walker water winged wonder wondering writing boxing boxed box's papers oranges racer "
    "racers carry carries carrying rings ringing trains training trailer oceans dancing balloon "
    "conned cubed cubic shipping shipped shipment fished fishing fisher dogged streets grasses "
    "manned manly womanly robotic robotics dragged dragging dragon's canned canning canoe drummer "
    "drumming barrels sunny rainy foggy windy windows snowing tabled fielded deserted desserts "
    "dessert dessert's blocked blocking ranging raging riding rising rinsing sailor sailors "
    "swimmer swimmers runner runners jumper jumpers skater skaters flyer flyers roaming rowing "
    "growing slowing glowing blowing flowing snowed sitting seating beating bearing wearing tearing "
    "parking barking marking standing landing sanding handing whiting biting fighting lighting "
    "hiding sighing playing praying paying flapping slapping clapping wrapping trapping mapping "
    "tapping hiking hugging kicking picking licking pushing cooking boiling reading melting "
    "burning turning smoking singing spinning smiling crying laughing sleeping eating drinking "
    "exploding blooming flickering sparkling drifting holding chasing feeding barge barges".split()
)

# Chinese words of two characters and more, and adverbs and adjectives of one. Of things first:
# what stands before one, as its colour, is said of it alone.
THINGS_ZH = frozenset(
    "飞盘 球鞋 鞋子 运动鞋 鞋 帽子 礼帽 草帽 头盔 眼镜 墨镜 手套 围巾 项圈 项链 戒指 结婚戒指 耳环 "
    "手表 背包 书包 钱包 包包 雨伞 伞 裤子 牛仔裤 短裤 袜子 靴子 领带 口罩 面具 胡子 大胡子 头发 长发 "
    "短发 眼睛 鼻子 嘴巴 耳朵 脸 脸部 手 双手 脚 脚步 腿 肚子 尾巴 翅膀 羽毛 背影 影子 倒影 灯光 火光 "
    "红光 蓝光 绿光 白光 金光 光线 光 灯 路灯 车灯 蜡烛 火焰 火 烟 烟雾 烟花 气泡水 云 云朵 白云 乌云 "
    "蓝天 天空 星星 满天星星 繁星 月亮 满月 太阳 朝阳 彩虹 闪电 风 狂风 雪花膏 冰 冰块 冰山 冰面 水坑 "
    "水花 水滴 水珠 水池 水杯 水果 水母 水壶 水桶 瀑布 溪流 小溪 山 山坡 山峰 山谷 山洞 山顶 大山 山路 "
    "斜坡 坡道 台阶 楼梯 楼 大楼 高楼 房子 房屋 房间 屋顶 小屋 木屋 城堡 教堂 塔 高塔 灯塔 桥 大桥 车站 "
    "火车站 站台 机场 码头 港湾 学校 教室 医院 商店 超市 餐厅 厨房 办公室 图书馆 体育馆 球场 足球场 "
    "篮球场 游泳池 泳池 游乐园 动物园 森林 树林 丛林 树 大树 树木 树叶 落叶 草 花 花朵 鲜花 玫瑰 "
    "向日葵 樱花 花瓣 竹子 椰子树 岩石 石头 泥土 沙子堡 猫 小猫 橘猫 黑猫 白猫 猫咪 老虎 狮子 豹子 熊 "
    "熊猫 大熊猫 北极熊 猴子 兔子 松鼠 老鼠 马 白马 黑马 骏马 斑马 牛 奶牛 羊 绵羊 猪 鸡 公鸡 鸭子 鹅 "
    "天鹅 鸟 小鸟 鸽子 老鹰 海鸥 鹦鹉 孔雀 企鹅 鲸鱼 海豚 海龟 海星 海马 海狮 海豹 海鲜 章鱼 螃蟹 虾 "
    "青蛙 蛇 鳄鱼 恐龙 霸王龙 变色龙 蝴蝶 蜜蜂 蜻蜓 蚂蚁 蜘蛛 萤火虫 雪人 雪球 雪橇 滑板 滑雪板 滑梯 "
    "滑翔机 滑轮 飞机 直升机 无人机 飞碟 飞镖 飞蛾 热气球 气垫 风筝 风车 风扇 自行车 单车 摩托车 "
    "电动车 三轮车 马车 推车 购物车 车祸 车窗 车门 车轮胎 车厢 车辆厂 车道 轨道 铁轨 隧道 弯道 人行道 "
    "斑马线 红绿灯 路口 十字路口 路牌 潜水艇 潜艇 纸船 纸飞机 纸杯 纸巾 纸盒 纸条 独木舟 木筏 帆布 "
    "帆板 船长 船员 船桨 海盗 海浪声 海报 海绵 海带 海参 浪花 波浪 沙发 沙漏 沙袋 沙堡 椅子 长椅 凳子 "
    "床 柜子 门 窗户 窗帘 镜子 地毯 地板 地面 地上 墙 墙上 墙壁 天花板 杯子 茶杯 茶壶 茶 咖啡 咖啡杯 "
    "酒杯 红酒 瓶子 香水 香水瓶 盘子 碗 筷子 刀 叉子 锅 罐子 易拉罐 蛋糕 面包 苹果 香蕉 橙子 西瓜 草莓 "
    "葡萄 胡萝卜 萝卜 蔬菜 冰淇淋 冰激凌 甜筒 巧克力 糖果 饼干 牛奶 果汁 汽水 鱼缸 鱼竿 鱼塘 鱼网 "
    "龙卷风 龙虾 龙舟 龙头 水龙头 狗窝 狗粮 热狗 环境 环节 耳环子 书 书本 报纸 杂志 信 信封 贺卡 生日贺卡 "
    "卡片 照相机 相机 手机 电脑 电视 屏幕 键盘 钟 时钟 闹钟 钥匙 锁 礼物 礼盒 玩具 玩偶 娃娃 洋娃娃 "
    "泰迪熊 风铃 钢琴 吉他 小提琴 鼓 国旗 旗帜 旗子 剑 弓箭 枪 炮 炸弹 火炬 篝火 箱子车 老人 婴儿 宝宝 "
    "婴儿车 司机 医生 护士 老师 厨师 消防员 画家 歌手 舞者 运动员 球员 球迷 球拍 球杆 地球 月球 星球 火星 "
    "眼球 雪糕 铅球 保龄球 乒乓球 网球 羽毛球 排球 高尔夫球 台球 棒球 水晶球 毛线球 绣球 宇航服 外星人 "
    "僵尸 幽灵 天使 魔鬼 独角兽 凤凰 精灵 仙女 小丑 人群 人影 人物 观众 朋友 情侣 新娘 新郎 家人 客人 "
    "茶话会 派对 聚会 婚礼 生日 比赛 游戏 舞蹈 音乐 歌 故事 世界 宇宙 银河 星空 城市夜景 霓虹 霓虹灯 "
    "雨滴 雨靴 雨刷 雨林 雾霾天 彩带 丝带 气味 声音 石子 石板 石桥 大理石 玻璃 木头 木板 塑料 橡胶 "
    "黏土 陶瓷 水晶 钻石 黄金 白银 丝绸 布 毛 皮 骨头 血 汗 眼泪 泪水 光环 花环 手环 吊环 指环 圆点 条纹 "
    "斑点 格子 图案 背景板 背景 前景 黑板 白板 红包 红旗 红酒杯 绿茶 绿洲 蓝图 白天鹅 白菜 白雪公主 黑洞 黑暗 "
    "黄瓜 黄油 黄昏恋 青草 青菜 青春 紫菜 灰尘 灰烬 粉笔 粉末 面粉 小说 小麦 小吃 小时 大厦 大门 大家 "
    "大衣柜 大炮 大理石桌面 纸币 纸箱 报告 排球场 方向盘 方向 圆桌 圆顶 圆规 柱子上 方块字 骨头棒".split()
)
OTHERS_ZH = frozenset(
    "跃出 回去 回来 回到 光滑 顺滑 滑稽 润滑 飞吻 飞扬 飞溅 飞逝 起飞 飞向 飞出 飞入 飞进 放飞 跳舞 跳动 跳水 跳伞 跳绳 "
    "心跳 跑步机 跑道 赛跑 逃跑 跑题 跑车赛 走廊 走秀 走失 走开 走散 赶走 拿走 游戏机 游客 游行 旅游 "
    "导游 滚烫 滚筒 翻滚 摇滚 滚开 开心 开始 开花 开门 开灯 开会 开车 开船 打开 离开 展开 分开 推开 "
    "盛开 公开 张开 散开 拉开 避开 炸开 裂开 放学 放松 放大镜 放射 放风筝 释放 绽放 开放 播放 立刻 "
    "立即 建立 独立 对立 停电 停车 停车场 不停 摆动 摇摆 摆脱 站台上 进站 车站里 网站 驶向 驶过 驶离 "
    "驾驶 驶入 驶来 玩 玩耍 睡觉 睡着 趴 趴着 蹲 蹲着 坐 坐着 躺 躺着 跪 靠着 抱 抱着 拿 拿着 提着 "
    "举着 推着 拉着 牵着 手牵手 背着 扛着 骑 骑着 追 追赶 追逐 喂 吃 喝 看 看着 读 写 写着 说 说话 笑 "
    "微笑 大笑 哭 哭泣 唱 唱歌 叫 喊 吠 打 打架 打伞 撑伞 踢 踢了 踢球 扔 扔球 接住 抓 抓住 抛 推 拉 拍打 "
    "敲 吹 画画 写字 画着 切 剪 煮 烤 洗 洗澡 擦 刷牙 路过 经过 越过 绕过 绕着圈 绕圈 转圈 旋转 "
    "自转 打转 转动 转弯 漂移 漂浮 飘 飘着 飘浮 飘动 悬浮 浮 浮在 升空 上升 下降 降落 着陆 潜入 潜水 "
    "沉没 淹没 融化 燃烧 着火 冒烟 冒着 爆炸 破碎 碎裂 打碎 变成 变形 变化 变大 变小 消失 发光 闪烁 "
    "闪光 反射 反光 照亮 照耀 照 洒 洒下 流 流动 流淌 顺流而下 喷 喷火 喷出 溅起 摇晃 颤抖 奔腾 冲 "
    "冲过 冲向 冲刺 爬 爬上 爬行 攀登 钻 钻进 躲 躲在 藏 消防 救援 战斗 相撞 相遇 相对 相拥 拥抱 亲吻 "
    "握手 鼓掌 鞠躬 点头 摇头 挥舞 交错 交错而过 并排 并肩 排队 聚集 围着 围绕 包围 到处 四处 处处 乱 "
    "远处 近处 高处 低处 空中楼阁 上空 半空 地球上 背后 身后 前方 后方 前面 后面 对面 中间 中央 之间 "
    "周围 四周 外面 门口 里的 尽头 底部 顶部 表面 生锈 旧 老 新 破 破旧 古老 年轻 可爱 孤独 忧伤 孤独忧伤 "
    "快乐 高兴 悲伤 愤怒 害怕 神秘 空旷 空荡荡 宽阔 广阔 狭窄 拥挤 热闹 宁静 安静 安静地 平静 无边 "
    "无边的 无边无际 无尽 无人 无声 无名 无奈 毫不 分别 告别 区别 别墅 别人 特别的 透明 半透明 发红光 "
    "发亮 明媚 昏暗 黑暗中 阴暗 冰做 冰做的 做的 木制 木质 玻璃制 毛茸茸 毛茸茸的 胖 胖胖的 瘦 高 矮 长 "
    "短 宽 窄 厚 薄 轻 重 快 慢 冷 热 暖 凉 甜 香 软 硬 尖 圆圆的 圆形 方形 三角形 心形 球形 环形 弧形 "
    "彩色 彩虹色 多彩 五彩 五彩缤纷 花色 条纹的 肉色 透明的 赛博朋克 科幻 梦幻 奇幻 卡通 动漫 水墨 写意 "
    "复古 现代 古代 未来 中国风 日系 欧式 春天 夏天 秋天 冬天 春节 圣诞节 早餐 午餐 晚餐 一下 一圈 一次 "
    "两次 三次 一脚 一声 一种 一样 一般 一边 一直 一共 一起 半 半个 迎着 对着 对准 沿着 顺着 随着 带有 "
    "充满 布满 铺满 堆成 组成 做成 做的 当作 像 好像 仿佛 如同 比 越来越 越来越大 越来越小 越来越快 几乎 已经 "
    "刚刚 马上 每 每个 各种 所有 全部 第一 第二 第三 第一个 第二个 头顶 车水马龙 龙腾虎跃 球状 虎头蛇尾 "
    "大声 大步 大量 大约 大概 大笑 小心 小心翼翼 一丁点儿 一丁点儿大 一点 一点点 好大好大 只会 只能 不会 "
    "不同 不过 不错 不久 不知 不见 不禁 不仅 不能 并不 没事 没错 没有人 路程 道路 思路 走路姿势 上学 上班 "
    "上色 下班 下课 下棋 中心 中国 中国人 里程 内容 外国".split()
)  # fmt: skip
THINGS_EN_ING = frozenset("building ceiling king wing string clothing lightning earring".split())
