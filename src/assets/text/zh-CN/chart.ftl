# Words that charts add themselves.

chart-kind-bar = 柱形图
chart-kind-line = 折线图
chart-kind-stacked = 堆积图
chart-kind-pareto = 帕累托图
chart-kind-waterfall = 瀑布图
chart-kind-multiples = 小型多图

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

scenario-actual = 实际
scenario-prior = 上期
scenario-plan = 计划
scenario-forecast = 预测
