# Words that charts add themselves.

chart-kind-bar = Bar chart
chart-kind-line = Line chart
chart-kind-stacked = Stacked chart
chart-kind-pareto = Pareto chart
chart-kind-waterfall = Waterfall chart
chart-kind-multiples = Small multiples

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

scenario-actual = Actual
scenario-prior = Prior period
scenario-plan = Plan
scenario-forecast = Forecast
