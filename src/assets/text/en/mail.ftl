# Mails that bring a published report.

mail-subject-corrected = Corrected: { $subject }
mail-version = version { $version }
mail-corrected = Corrected edition, version { $version }
mail-corrected-withheld = What has changed is shown in the report.
mail-preliminary = Preliminary figures: { $closed } of { $of } branches have closed.
mail-preliminary-open = Preliminary figures: { $closed } of { $of } branches have closed. Still open: { $open }.
mail-more = { $names } and { $count } more
mail-withheld = This report contains data about individual persons. Its figures are therefore not in this mail: please log in to read it.
mail-figure = { $title }: { $value }
mail-more-rows = { $count ->
    [one] One more row is in the report.
   *[other] { $count } more rows are in the report.
}
mail-open = Open the report
mail-files = Attached: { $files }
mail-files-large = The files of this report are larger than { $mib } MiB together, so none is attached. They are at the link above.
mail-list = , { "" }
mail-look = Look into it
mail-notice-footer = Sent automatically by { $name }; replies are not read.
mail-footer = Sent automatically by { $name }; replies are not read. Edition { $edition }.
