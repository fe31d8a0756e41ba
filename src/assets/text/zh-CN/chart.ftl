# Words that charts add themselves.

chart-kind-bar = 柱形图
chart-kind-line = 折线图
chart-kind-stacked = 堆积图
chart-kind-pareto = 帕累托图
chart-kind-waterfall = 瀑布图
chart-kind-multiples = 小型多图
chart-kind-area = 面积图
chart-kind-heatmap = 热力图
chart-kind-triangle = 同期群三角图
chart-kind-scatter = 散点图
chart-kind-funnel = 漏斗图
chart-kind-radar = 成熟度雷达图
chart-kind-box = 箱线图
chart-kind-bullet = 子弹图

chart-title-unit = { $title }（{ $unit }）
chart-no-data = 所选范围内没有数据
chart-year = { $year }年
chart-total = 合计
chart-total-of = 合计 { $value }
chart-share = 占比
chart-cumulative = 累计占比
chart-others = 其余 { $count } 项
chart-against = 较{ $against }
chart-against-unit = 较{ $against }（{ $unit }）
chart-axis-cut = 纵轴不从零开始
chart-shared-scale = 各图同一刻度：{ $low } 至 { $high }
chart-table-category = 项目
chart-table = 数据表
chart-mark = { $category }：{ $values }
chart-pareto-mark = { $mark }，累计 { $share }

chart-desc-time = { $kind }：{ $title }，{ $first }至{ $last }，共 { $count } 期。
chart-desc-structure = { $kind }：{ $title }，共 { $count } 项，从{ $first }到{ $last }。
chart-desc-no-data = 没有数据。
chart-desc-series-time = { $name }：最高 { $high }（{ $high-at }），最低 { $low }（{ $low-at }），最新 { $last }（{ $last-at }）。
chart-desc-series = { $name }：最高 { $high }（{ $high-at }），最低 { $low }（{ $low-at }）。
chart-desc-difference-time = { $at }较{ $against } { $amount }（{ $relative }）。
chart-desc-difference = 较{ $against }：最大 { $most }（{ $most-at }），最小 { $least }（{ $least-at }）。

chart-pareto-reach = 前 { $count } 项达 80%
chart-desc-pareto = 合计 { $total }，首位{ $first }占 { $share }；{ $all } 项中前 { $reach } 项累计达到 80%。
chart-desc-waterfall = 从{ $opening } { $from } 到{ $closing } { $to }，变动 { $change }。
chart-desc-waterfall-up = 增加最多：{ $step } { $amount }。
chart-desc-waterfall-down = 减少最多：{ $step } { $amount }。
chart-desc-multiples = { $count } 张小图，第一张{ $first } { $first-value }，最后一张{ $last } { $last-value }。

chart-scale-zero = 颜色以 { $value } 为界
chart-cell = { $row }，{ $column }
chart-desc-matrix = 最高 { $high }（{ $high-at }），最低 { $low }（{ $low-at }）。
chart-triangle-empty = 空白：尚未发生

chart-points = 点数
chart-points-of = { $count } 个点
chart-points-per-cell = 每格点数
chart-scatter-count = n = { $count }
chart-scatter-rank = n = { $count }，秩相关系数 { $value }
chart-desc-sentence = { $text }。
chart-desc-outliers = 离群点：{ $names }。

chart-step-rate = 环节转化率
chart-of-first = 占首环节
chart-funnel-step = { $rate } 进入下一环节，流失 { $lost }
chart-funnel-mark = { $mark }，占首环节 { $share }
chart-desc-funnel = 从{ $first } { $from } 到{ $last } { $to }，总转化率 { $rate }。
chart-desc-funnel-worst = { $first }到{ $last }流失比例最高：{ $rate } 进入下一环节，流失 { $lost }。

chart-desc-radar-gap = 与目标差距最大：{ $name }，现状 { $value }，目标 { $target }。

chart-lowest = 最低
chart-lower-quartile = 下四分位数
chart-median = 中位数
chart-upper-quartile = 上四分位数
chart-highest = 最高
chart-box-n = 样本数
chart-box-numbers = n { $n }，中位数 { $median }（{ $lower } 至 { $upper }）
chart-box-numbers-few = n { $n }，中位数 { $median }
chart-box-mark = { $name }：样本数 { $n }，最低 { $low }，下四分位数 { $lower }，中位数 { $median }，上四分位数 { $upper }，最高 { $high }
chart-box-whiskers = 须线最长为箱长的一倍半，其外的值画为点
chart-box-whiskers-all = 须线从最低值到最高值
chart-desc-box-highest = 中位数最高：{ $name } { $median }（n { $n }，四分位数 { $lower } 与 { $upper }）。
chart-desc-box-lowest = 中位数最低：{ $name } { $median }（n { $n }，四分位数 { $lower } 与 { $upper }）。

chart-band-to = { $name }（上限）
chart-bullet-mark = { $mark }，处于{ $band }区间

scenario-actual = 实际
scenario-prior = 上期
scenario-plan = 计划
scenario-forecast = 预测
