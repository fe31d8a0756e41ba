# Words of workbooks (XLSX).

workbook-overview = Overview
workbook-evidence = Evidence
workbook-figure = Figure
workbook-value = Value
workbook-unit = Unit
workbook-compared = Compared with
workbook-change = Change
workbook-change-relative = Change in %
workbook-assessment = Assessment
workbook-full-values = Figures on this sheet are shown rounded, in the units beside them. The sheets below hold full values; amounts are in CNY.
workbook-sheet = Sheet
workbook-content = Content
workbook-notices = Notices
workbook-column-with-unit = { $label } ({ $unit })
workbook-report = Report
workbook-completeness = Completeness
workbook-snapshot = Snapshot
workbook-engine = Engine
workbook-snapshot-made = Snapshot made
workbook-snapshot-date = Business date of the snapshot
workbook-datasets = Datasets
workbook-history = History of members
workbook-tie-out = Head office and branches
workbook-not-checked = not checked
workbook-fingerprint = Fingerprint of the rights
workbook-reader = Reader
workbook-run-at = Run at
workbook-duration = Duration, ms
workbook-query = Query
workbook-version = Version
workbook-run-key = Run key
workbook-published = Published
workbook-link = Link
workbook-refused = Rollups that were passed over
workbook-parameters = Parameters
workbook-as-text = Values written as text
workbook-column = Column
workbook-first-cell = First cell
workbook-reason = Reason
workbook-too-long = { $count ->
    [one] { $count } number has
   *[other] { $count } numbers have
} more than 15 significant digits, which a spreadsheet would round
workbook-no-date = { $count ->
    [one] { $count } date is
   *[other] { $count } dates are
} before March 1900 or after 9999, which spreadsheets do not know
workbook-pictures = Pictures of charts
workbook-no-pictures = left out: the server has no Chinese face to draw them with (Debian package fonts-noto-cjk); the rows behind them are on the sheets
workbook-none = none
workbook-sql = SQL
