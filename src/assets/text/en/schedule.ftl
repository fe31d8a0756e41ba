# Text of `countinghouse schedule explain` and of the schedules page.

schedule-closes-month = closes: month
schedule-closes-day = closes: day
schedule-closes-business-day = closes: business day
schedule-cron = cron { $cron }
schedule-calendar = calendar { $calendar }
schedule-holidays-skip = on holidays: skip
schedule-holidays-next = on holidays: next business day
schedule-holidays-previous = on holidays: previous business day
schedule-zone = zone { $zone }

schedule-weekday-1 = Mon
schedule-weekday-2 = Tue
schedule-weekday-3 = Wed
schedule-weekday-4 = Thu
schedule-weekday-5 = Fri
schedule-weekday-6 = Sat
schedule-weekday-7 = Sun

schedule-ready = ready { $closed }/{ $of }
schedule-waiting = waiting for: { $missing }
schedule-complete = complete
schedule-missing-note = { $branch } ({ $note })
schedule-list = , { "" }
schedule-separator = ; { "" }

schedule-deadline = deadline { $when }
schedule-deadline-unknown = deadline not known: { $why }
schedule-business-day = (business day { $day })
schedule-then-partial = -> partial
schedule-then-partial-needs = -> partial, needs { $least }
schedule-then-hold = -> hold
schedule-would-publish = would publish
schedule-would-hold = would hold
schedule-passed = passed
schedule-tells = tells { $roles }

late-subject = { $report }: the close of { $period } is late
late-passed = The deadline, { $when }, has passed: { $closed } of { $of } branches have closed { $period }.
late-passed-branch = The deadline, { $when }, has passed, and { $branch } has not closed { $period }.
late-partial = The report is now published without the branches that are missing, and says which. Once they close it is published again.
late-hold = The report is held until every branch has closed.
late-hold-least = The report is not published yet: at least { $least } branches must have closed.
late-hold-none = Nothing is published yet: no branch has closed.
late-missing = Still missing:

schedule-for = for { $period }
schedule-because = ({ $reasons })
schedule-gap = { $wanted } does not exist, clocks go forward
schedule-overlap-first = { $wanted } comes twice, the first is used
schedule-overlap-both = { $wanted } comes twice, both are used
schedule-moved = moved from { $days }
schedule-joined = also for { $days }
schedule-made-up = make-up working day
schedule-made-up-for = make-up working day for { $holiday }
schedule-day-holiday = { $day } { $holiday }
schedule-day-weekend = { $day } weekend
schedule-more-days = { $days } and { $count ->
    [one] { $count } more day
   *[other] { $count } more days
}
schedule-skipped = not on { $days }
schedule-no-firing = fires no more
schedule-beyond = nothing further is known: { $why }

schedule-recipients = recipients { $recipients } -> { $fingerprints ->
    [one] { $fingerprints } fingerprint
   *[other] { $fingerprints } fingerprints
} -> { $files ->
    [one] { $files } file
   *[other] { $files } files
}
schedule-recipients-of = recipients { $recipients } -> { $fingerprints ->
    [one] { $fingerprints } fingerprint
   *[other] { $fingerprints } fingerprints
} ({ $scopes }) -> { $files ->
    [one] { $files } file
   *[other] { $files } files
}
schedule-branches = { $count ->
    [one] { $count } branch
   *[other] { $count } branches
}
schedule-head-office = head office
schedule-branches-and-head-office = { $branches } + head office
schedule-expected = about { $seconds } s
schedule-last-run = last run { $seconds } s
