# Editions, schedules and deliveries.

edition-one = Edition
edition-released = Published although checks had failed ({ $gates }). Released by { $by } ({ $role }), { $at }. Reason: { $reason }
edition-release = Released
edition-release-found = What the checks found
gate-complete = completeness
gate-untruncated = no row left out
gate-glyphs = characters
gate-foots = head office = sum of branches
edition-list = Editions
edition-list-hint = Each is frozen as it was published. A correction is a version of its own; the one before stays as it was.
edition-latest = Newest edition of your scope
edition-live = Live report
edition-scope = Scope
edition-period = Period
edition-version = Version
edition-published = Published (UTC)
edition-files = Files
edition-file = File
edition-size = Size
edition-all = All
edition-show = Show
edition-none = There is no edition that you may open.
edition-more = The newest { $shown } of { $of } editions are shown. Choose a scope or a period to see the others.
edition-narrowed = narrowed view { $digits }
edition-removed = Removed
edition-partial = partial
edition-partial-of = partial: { $completeness } branches closed
edition-first = First edition
edition-replaces = Replaces v{ $version }; no figure changed
edition-changed-cells = Corrects v{ $version }: { $cells ->
        [one] { $cells } difference
       *[other] { $cells } differences
    }
edition-corrects = This corrects v{ $version }: { $cells ->
        [one] { $cells } difference.
       *[other] { $cells } differences.
    } What changed: { $link }

edition-of = Edition { $version }
edition-frozen = Frozen: these figures no longer change
edition-links = This edition
edition-superseded = A newer version replaces this one.
edition-open-newer = Open { $version }, published { $published }
edition-evidence = Evidence
edition-history = All versions
edition-changes = What changed
edition-no-page = This edition was published without a page to read here. Its files:
edition-gone = This edition is not kept any more
edition-gone-then = Its files were removed when their time was over. Hash and run key still stand; whoever operates the server may have a backup.
edition-reason = Reason
edition-hash = Hash of the edition
edition-run-key = Run key

edition-first-then = This is the first edition of its period: there is no version before it.
edition-before = The version before
edition-nothing-changed = No figure differs. What differs is how many branches had closed.
edition-dataset = Dataset { $name }
edition-other-columns = The columns differ, so cells were not compared: { $columns }
edition-more-cells = The first { $shown } of { $of } cells are shown; all stand in the JSON.
edition-row = Row
edition-column = Column
edition-old = Before
edition-new = Now
edition-only-row = (the only row)
edition-added = Rows added
edition-dropped = Rows removed

edition-evidence-hint = Where each figure comes from. With it anybody can check later that nothing was changed.
edition-snapshot-made = Snapshot made (UTC)
edition-tie-out-none = not compared
edition-parameters = Parameters
edition-rights = Fingerprint of the rights
edition-datasets = Datasets
edition-refused = Rollups not used
edition-reading = Reading of history
edition-files-hint = As they were frozen. What you save can be compared with its SHA-256.
edition-bytes = { $count ->
        [one] { $count } byte
       *[other] { $count } bytes
    }

schedule-page-title = Schedules
schedule-page-hint = What is published when, and how the last run went. All times are UTC unless a zone stands beside them.
schedule-page-none = There is no schedule of a report that you may open.
schedule-page-schedule = Report and schedule
schedule-page-when = When
schedule-page-next = Next: { $next }
schedule-page-last = Last run
schedule-page-never = No run yet
schedule-page-is-paused = Paused
schedule-page-paused = since { $at } by { $by }: { $why }
schedule-page-outlook = What comes next
schedule-page-withheld = Lines about branches that you do not see are left out.
schedule-page-trouble = Run { $run }:
schedule-page-act = Operate
schedule-page-act-hint = Every action is recorded under your name.
schedule-page-run = Run now
schedule-page-pause = Pause
schedule-page-pause-reason = Why it is paused
schedule-page-resume = Resume
schedule-page-again = Run
schedule-page-retry = Try again
schedule-page-retry-reason = Why it is tried again
schedule-page-release-title = Release a held run
schedule-page-release-hint = It is published as it was read, although checks had failed. Your name, the time and the reason are printed in every edition, also those of the branches: do not name other branches or their figures in it.
schedule-page-release-own = A run that you started yourself is released by somebody else.
schedule-page-release-spent = A held run is not released as it stands when what was read for it is not kept, when no check holds it, or when newer data of its period were published since: have it tried again first.
schedule-page-held = Held run
schedule-page-release = Release
schedule-page-release-reason = Why it is published all the same
schedule-page-runs = Latest runs
schedule-page-number = No.
schedule-page-state = State
schedule-page-cause = Started by
schedule-page-planned = Planned (UTC)
schedule-page-started = Started (UTC)
schedule-page-took = Took
schedule-page-message = Message
schedule-page-partial = even if branches are missing

schedule-page-state-ready = Waiting
schedule-page-state-running = Running
schedule-page-state-succeeded = Published
schedule-page-state-held = Held
schedule-page-state-held-then = Nothing was sent. What was published before still stands. When the cause is cured, try the run again. If it is to be published as it is, a reviewer who did not start it releases it.
schedule-page-state-failed = Failed
schedule-page-state-failed-then = Nothing was sent. It is not tried again by itself: mend what is named, then try the run again.
schedule-page-state-dead = Given up
schedule-page-state-dead-then = Nothing was sent, and it was tried five times. See that what it needs is there again, then try the run again.
schedule-page-state-skipped = Skipped
schedule-page-state-cancelled = Cancelled
schedule-page-cause-clock = Clock
schedule-page-cause-close = Close
schedule-page-cause-deadline = Deadline
schedule-page-cause-correction = Correction
schedule-page-cause-hand = By hand
schedule-page-cause-backfill = For a past period
schedule-page-cause-alert = Alert

schedule-page-done-run = A run was planned; it starts within a second or two.
schedule-page-done-pause = The schedule is paused: nothing starts by itself until it is resumed.
schedule-page-done-resume = The schedule is resumed.
schedule-page-done-retry = The run will be tried again.
schedule-page-done-release = The run is released; it is published within a second or two.
schedule-page-fault-reason = Give a reason, of 500 characters at most.
schedule-page-fault-run = This run cannot be tried again: it is not of this schedule, or it waits, runs or was published.
schedule-page-fault-held = This run cannot be released: it is not of this schedule, no check holds it any more, or newer data of its period were published since.
schedule-page-fault-own = You started this run yourself: somebody else releases it.
schedule-page-fault-form = The form is not complete: open the page again.

delivery-title = Deliveries
delivery-hint = What was sent to whom, and what became of it, the latest change first.
delivery-hint-own = What was sent to you, and what became of it, the latest change first.
delivery-none = There is no delivery here.
delivery-more = The latest { $shown } are shown. Choose a state to see others.
delivery-at = Changed (UTC)
delivery-channel = Channel
delivery-recipient = Recipient
delivery-state = State
delivery-tries = Tries
delivery-answer = Answer
delivery-notice-deadline = Late close
delivery-notice-alert = Alert
delivery-next = next try { $at }
delivery-reason = Why it is sent again
delivery-resend = Send again
delivery-done = It will be sent again.
delivery-fault-reason = Give a reason, of 500 characters at most.
delivery-fault-state = This cannot be sent again: only what failed, was refused or is unknown can.
delivery-unknown-then = It was handed over, but the answer was lost: nobody can know whether it arrived. It is not sent again by itself, because it could arrive twice. Ask the recipient first.
delivery-state-rendered = To be sent
delivery-state-handed-over = Handed over
delivery-state-accepted = Accepted
delivery-state-unknown = Unknown
delivery-state-failed = Failed
delivery-state-refused = Refused
