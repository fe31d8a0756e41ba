# Words that charts add themselves.

chart-kind-bar = Bar chart
chart-kind-line = Line chart
chart-kind-stacked = Stacked chart
chart-kind-pareto = Pareto chart
chart-kind-waterfall = Waterfall chart
chart-kind-multiples = Small multiples
chart-kind-area = Area chart
chart-kind-heatmap = Heat map
chart-kind-triangle = Cohort triangle
chart-kind-scatter = Scatter plot
chart-kind-funnel = Funnel
chart-kind-radar = Maturity radar
chart-kind-box = Box plot
chart-kind-bullet = Bullet chart

chart-title-unit = { $title }, { $unit }
chart-no-data = No data in the chosen range
chart-year = { $year }
chart-total = Total
chart-total-of = total { $value }
chart-share = Share
chart-cumulative = Running share
chart-others = { $count ->
    [one] { $count } other
   *[other] { $count } others
}
chart-against = vs { $against }
chart-against-unit = vs { $against }, { $unit }
chart-axis-cut = Axis does not start at zero
chart-shared-scale = One scale for all: { $low } to { $high }
chart-table-category = Item
chart-table = Data table
chart-mark = { $category }: { $values }
chart-pareto-mark = { $mark }, running share { $share }

chart-desc-time = { $kind }: { $title }, { $first } to { $last }, { $count ->
    [one] { $count } period
   *[other] { $count } periods
}.
chart-desc-structure = { $kind }: { $title }, { $count ->
    [one] { $count } item
   *[other] { $count } items
}, from { $first } to { $last }.
chart-desc-no-data = No data.
chart-desc-series-time = { $name }: highest { $high } ({ $high-at }), lowest { $low } ({ $low-at }), latest { $last } ({ $last-at }).
chart-desc-series = { $name }: highest { $high } ({ $high-at }), lowest { $low } ({ $low-at }).
chart-desc-difference-time = { $at } vs { $against }: { $amount } ({ $relative }).
chart-desc-difference = vs { $against }: largest { $most } ({ $most-at }), smallest { $least } ({ $least-at }).

chart-pareto-reach = top { $count } reach 80%
chart-desc-pareto = Total { $total }; { $first } leads with { $share }; the top { $reach } of { $all } reach 80%.
chart-desc-waterfall = From { $opening } { $from } to { $closing } { $to }, a change of { $change }.
chart-desc-waterfall-up = Largest increase: { $step } { $amount }.
chart-desc-waterfall-down = Largest decrease: { $step } { $amount }.
chart-desc-multiples = { $count } panels, the first { $first } { $first-value }, the last { $last } { $last-value }.

chart-scale-zero = colours part at { $value }
chart-cell = { $row }, { $column }
chart-desc-matrix = Highest { $high } ({ $high-at }), lowest { $low } ({ $low-at }).
chart-triangle-empty = Empty: not yet reached

chart-points = Points
chart-points-of = { $count ->
    [one] { $count } point
   *[other] { $count } points
}
chart-points-per-cell = Points per cell
chart-scatter-count = n = { $count }
chart-scatter-rank = n = { $count }, rank correlation { $value }
chart-desc-sentence = { $text }.
chart-desc-outliers = Outliers: { $names }.

chart-step-rate = Step rate
chart-of-first = Of first stage
chart-funnel-step = { $rate } go on, { $lost } drop out
chart-funnel-mark = { $mark }, { $share } of the first stage
chart-desc-funnel = From { $first } { $from } to { $last } { $to }: { $rate } get through.
chart-desc-funnel-worst = The step from { $first } to { $last } loses most: { $rate } go on, { $lost } drop out.

chart-desc-radar-gap = Largest gap to the target: { $name }, { $value } of { $target }.

chart-lowest = Lowest
chart-lower-quartile = Lower quartile
chart-median = Median
chart-upper-quartile = Upper quartile
chart-highest = Highest
chart-box-n = n
chart-box-numbers = n { $n }, median { $median } ({ $lower } to { $upper })
chart-box-numbers-few = n { $n }, median { $median }
chart-box-mark = { $name }: n { $n }, lowest { $low }, lower quartile { $lower }, median { $median }, upper quartile { $upper }, highest { $high }
chart-box-whiskers = Whiskers reach at most one and a half box lengths; points lie beyond
chart-box-whiskers-all = Whiskers reach from the lowest to the highest value
chart-desc-box-highest = Highest median: { $name } { $median } (n { $n }, quartiles { $lower } and { $upper }).
chart-desc-box-lowest = Lowest median: { $name } { $median } (n { $n }, quartiles { $lower } and { $upper }).

chart-band-to = { $name }, up to
chart-bullet-mark = { $mark }, in the band { $band }

scenario-actual = Actual
scenario-prior = Prior period
scenario-plan = Plan
scenario-forecast = Forecast
