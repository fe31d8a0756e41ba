# Words of reports that are not in a report's own definition.

report-as-of = As of
report-scope = Scope
report-language = Language
report-head-office = Whole bank
report-show = Show
report-yes = Yes
report-no = No
report-figures = Key figures
report-changes = Changes
report-data = Data as a table
report-against-prior-month = On prior month
report-against-prior-year = On prior year
report-against-year-start = On year start
report-against-prior-period = On prior period
report-against-plan = Against plan
report-word-up = up
report-word-down = down
report-word-flat = unchanged
report-favourable = favourable
report-unfavourable = unfavourable
report-preliminary = Preliminary figures.
report-lineage = Where these figures come from
report-closed = closed { $closed }/{ $of } branches
report-closed-but = closed { $closed }/{ $of } branches (open: { $open })
report-snapshot = snapshot
report-rows = { $datasets ->
    [one] { $datasets } dataset
   *[other] { $datasets } datasets
}, { $rows ->
    [one] { $rows } row
   *[other] { $rows } rows
}
report-sources = { $rollups ->
    [one] { $rollups } rollup
   *[other] { $rollups } rollups
}, { $facts ->
    [one] { $facts } dataset
   *[other] { $facts } datasets
} from facts
report-records-of = Records
report-records = records as of the run
report-as-is = organisation as it is today
report-as-was = organisation as it was at the time
report-tie-out-agrees = head office = sum of branches ({ $figures } checked)
report-tie-out-differs = head office differs from the sum of branches: { $names }
report-rights = rights
report-engine = engine
report-evidence = Evidence
report-evidence-full = Evidence in full
report-chart-alone = This chart by itself
report-table-alone = This table by itself
report-table-empty = No rows
report-all-rows = All rows
report-rows-of = Rows of the dataset { $name }
report-pinned = These figures are fixed at snapshot { $snapshot } of { $made }.
report-pinned-records = Records are of this moment; figures of the cubes are of snapshot { $snapshot } of { $made }.
report-newest = Show the newest
report-pages = Pages of this table
report-page-before = Previous page
report-page-after = Next page
report-page-rows = Rows { $from } to { $to } of { $of }.
report-ways = More about this report
report-definition = Definition
report-dataset = Dataset
report-row-count = Rows
report-source = Source
report-facts = facts
report-sql-hash = SQL, SHA-256
report-rows-hash = Rows, SHA-256
report-sentence-separator = {"; "}
report-print-data = Figures of the charts
report-print-attached = Attached to this file: every dataset with full precision (CSV), its SQL, the figures of each chart, and the evidence (evidence.json).
report-print-attached-rows = Attached to this file: every dataset with full precision (CSV), the figures of each chart, and the evidence (evidence.json).
report-print-chart = Figures of the chart { $name }
report-print-rows = Rows of the dataset { $name }
report-print-sql = Statement of the dataset { $name }
report-print-evidence = Evidence: snapshot, statements, rows, hashes
report-print-glyphs = { $mark } stands for a character that no font of the server has: { $codes }
report-print-rest = { $rows ->
    [one] One further row is
   *[other] { $rows } further rows are
 } in the attached file { $file }
report-print-live = Live answer for { $reader }, { $at }
report-print-edition = Edition v{ $version } · run key { $key } · published { $at }
