# Portal.

portal-skip = Skip to content
portal-navigation = Main
portal-home = Overview
portal-reports = Reports
portal-logout = Log out
portal-head-office = Whole bank
portal-list = , { "" }
portal-separator = , { "" }

portal-login = Log in
portal-login-title = Log in
portal-name = Name
portal-password = Password
portal-login-provider = Bank login
portal-login-failed = The login failed. Check name and password; after several failures wait up to five minutes.
portal-login-again = This form has expired. Please log in again.

portal-greeting = Hello, { $name }
portal-state-complete = Figures as of { $date }. { $of ->
        [one] The one branch has closed.
       *[other] All { $of } branches have closed.
    }
portal-state-open = Figures as of { $date }, preliminary: { $closed } of { $of } branches have closed.
portal-no-data = No data have been loaded yet. Figures appear after the first batch: countinghouse load FEED.yaml
portal-completeness = Branches closed
portal-open-branches = Still open
portal-tie-out = Head office against branches
portal-tie-out-agrees = Agrees to the cent
portal-tie-out-differs = Differs; do not use before it is cleared
portal-snapshot = Snapshot
portal-published = Published

portal-find = Find a report
portal-find-do = Find
portal-find-all = All reports
portal-found = { $count ->
        [one] { $count } report found
       *[other] { $count } reports found
    }
portal-found-none = No report found
portal-favourite-on = Add to favourites
portal-favourite-on-of = Add { $title } to favourites
portal-favourite-off = Remove from favourites
portal-favourite-off-of = Remove { $title } from favourites
portal-no-reports = There is no report that you may open. Whoever manages logins can give you a role.
portal-cubes = Cubes
portal-cubes-hint = Measures and how SQL calls them. Every tool gets the same figures as the reports.
portal-measures = { $count ->
        [one] { $count } measure
       *[other] { $count } measures
    }
portal-measure = Measure
portal-call = In SQL
portal-class = Adds up
portal-unit = Unit
portal-additive = over all dimensions
portal-semi-additive = over all but time
portal-non-additive = not at all
portal-time-all = whole period
portal-time-close = end of period
portal-time-average-daily = daily average
portal-time-last-seen = last seen

portal-unit-cny = CNY
portal-unit-percent = percent
portal-unit-points = percentage points
portal-unit-customers = customers
portal-unit-accounts = accounts
portal-unit-contacts = contacts
portal-unit-transactions = transactions
portal-unit-cases = cases
portal-unit-employees = employees
portal-unit-days = days
portal-unit-hours = hours
portal-unit-minutes = minutes
portal-unit-seconds = seconds

portal-connect = Connect a tool
portal-connect-hint = BI tools and programs read the same cubes with your rights, in the schema { $schema }.
portal-connect-login = Log in as { $user } with your password or an access token.
portal-copy = Copy
portal-copied = Copied

portal-to-portal = To the overview
portal-error-code = Code
portal-correlation = Correlation id
portal-error-request = This request cannot be answered
portal-error-request-then = No figure is affected. Go back, correct the value that is named, and ask again.
portal-error-denied = You may not do this
portal-error-denied-then = Log in again, or ask whoever manages logins for the role you need.
portal-error-missing = This page does not exist, or you may not see it
portal-error-missing-then = Go to the overview for all you may open. If something is missing there, ask whoever manages logins.
portal-error-data = The data are not ready for this
portal-error-data-then = What was published before still stands. Try again when the next batch has been loaded.
portal-error-limit = The answer is too large
portal-error-limit-then = Nothing was cut: no part of it is shown. Narrow the period or the scope and ask again.
portal-error-busy = The server is busy
portal-error-busy-then = No figure is affected. Try again in a few seconds.
portal-error-slow = The answer took too long
portal-error-slow-then = No figure is affected. Narrow the period or the scope and ask again.
portal-error-internal = The server failed
portal-error-internal-then = No figure is shown rather than a wrong one. Give the correlation id to whoever operates the server.

# Administration.

portal-admin = Administration
portal-admin-statements = Running statements
portal-admin-users = Users
portal-admin-tokens = Access tokens
portal-admin-roles = Roles
portal-admin-audit = Audit log

portal-admin-done-stopped = The statement is being stopped.
portal-admin-done-user-added = The user was added.
portal-admin-done-rights = Roles and scope were changed; they count from the next statement on.
portal-admin-done-password = The password was changed and the user's sessions were ended.
portal-admin-done-disabled = The user was disabled; sessions and tokens no longer open anything.
portal-admin-done-enabled = The user was enabled.
portal-admin-done-revoked = The token was revoked.

portal-admin-fault-form = The form is not complete: open the page again.
portal-admin-fault-roles = Choose at least one role.
portal-admin-fault-scope = Choose a scope: the whole bank, at least one branch, or a scope as text.
portal-admin-fault-passwords = The two passwords differ. Type both again.
portal-admin-fault-no-password = Type the new password.
portal-admin-fault-taken = There is a user { $name } already.
portal-admin-fault-user = There is no user { $name }.
portal-admin-fault-label = Say what the token is for.
portal-admin-fault-days = Days are a number from 1 to 90.
portal-admin-fault-network = { $text } is not a network; write it as 10.2.0.0/16.
portal-admin-fault-time = This is not a time; write it as 2026-01-31T08:00.

portal-admin-user = User
portal-admin-face = Comes in by
portal-admin-face-flight = Flight SQL
portal-admin-face-http = HTTP
portal-admin-face-report = Report
portal-admin-face-command-line = Command line
portal-admin-face-job = Scheduled job
portal-admin-started = Started (UTC)
portal-admin-running-for = Running for
portal-admin-stop = Stop
portal-admin-statements-hint = In every process over this state, oldest first. A statement stops within about a second.
portal-admin-again = Refresh
portal-admin-no-statements = No statement is running.

portal-admin-users-hint = A user's page changes roles, scope, password and state. Nobody changes their own.
portal-admin-scope = Scope
portal-admin-kind = Logs in by
portal-admin-kind-password = Password
portal-admin-kind-tokens = Tokens only
portal-admin-kind-provider = The bank's login (OpenID)
portal-admin-state = State
portal-admin-state-active = Active
portal-admin-state-disabled = Disabled
portal-admin-created = Created (UTC)
portal-admin-add-user = Add a user
portal-admin-password-again = Password again
portal-admin-password-hint = At least 12 characters.
portal-admin-password-none = Without a password the user comes in by tokens only.
portal-admin-password-ends = A new password ends the user's sessions.
portal-admin-reach-branches = These branches
portal-admin-reach-written = As text
portal-admin-written-hint = Branch keys, or members of a level within branches:
portal-admin-own = This is your own login. Another administrator can change it.
portal-admin-rights = Roles and scope
portal-admin-rights-hint = They count from the user's next statement on; statements that run with other rights are stopped.
portal-admin-rights-provider = They follow the user's groups at the bank's login and are changed there.
portal-admin-change-rights = Change roles and scope
portal-admin-set-password = Set a password
portal-admin-disable-hint = A disabled user cannot log in; sessions end and tokens open nothing until the user is enabled again.
portal-admin-disable = Disable
portal-admin-enable = Enable

portal-admin-tokens-hint = Tools log in with a token. It reads what its user may read, or less, and never opens these pages.
portal-admin-no-tokens = There is no token.
portal-admin-label = For what
portal-admin-only = Opens
portal-admin-expires = Expires (UTC)
portal-admin-used = Last used (UTC)
portal-admin-never = never
portal-admin-token-active = Active
portal-admin-token-revoked = Revoked
portal-admin-token-expired = Expired
portal-admin-token-disabled = User disabled
portal-admin-revoke = Revoke
portal-admin-add-token = Make a token
portal-admin-days = Days, at most 90
portal-admin-narrow = Limit what it opens
portal-admin-narrow-hint = Where nothing is chosen, the token opens all that its user may.
portal-admin-only-these-reports = Reports (then no SQL)
portal-admin-networks = From these networks, with spaces between
portal-admin-token-new = The new token
portal-admin-token-made = The token for { $name } is made. Copy it now: it is not shown again.
portal-admin-only-nothing = all that the user may
portal-admin-only-cubes = cubes { $names }
portal-admin-only-reports = reports { $names }, no SQL
portal-admin-only-faces = by { $names }
portal-admin-only-networks = from { $names }
portal-admin-semicolon = ; { "" }

portal-admin-roles-hint = Roles add up: of several the widest counts. The project's own roles stand under "roles" in countinghouse.yaml and are changed there.
portal-admin-roles-own = Roles of this project
portal-admin-roles-built-in = Built-in roles
portal-admin-no-own-roles = The project declares no role of its own.
portal-admin-role = Role
portal-admin-role-sql = SQL
portal-admin-role-details = Rows behind a cube
portal-admin-role-columns = Sensitive columns (C2)
portal-admin-role-exports = Takes out
portal-admin-role-rows = Rows at most
portal-admin-yes = yes
portal-admin-no = no
portal-admin-all = all
portal-admin-none = none
portal-admin-unlimited = no limit
portal-admin-sql-records = the server's records only
portal-admin-shown-all = all clear
portal-admin-shown-clear = { $kind }: clear
portal-admin-shown-mask = { $kind }: masked
portal-admin-shown-deny = { $kind }: hidden
portal-admin-other-kinds = others
portal-role-administrator = Administrator
portal-role-administrator-meaning = Manages logins and sees the records of all statements; no right to data by itself
portal-role-analyst = Analyst
portal-role-analyst-meaning = Writes SQL; sees every cube, row by row, and every column
portal-role-reader = Reader
portal-role-reader-meaning = Opens reports; no SQL
portal-role-publisher = Publisher
portal-role-publisher-meaning = Publishes editions
portal-role-auditor = Auditor
portal-role-auditor-meaning = Reads the audit log and the records of all statements
portal-role-assessor = Assessor
portal-role-assessor-meaning = Answers assessments and enters what is recorded of its organisation's evaluation; no cube
portal-role-reviewer = Reviewer
portal-role-reviewer-meaning = Reviews, locks and approves what assessors record, sets targets, and releases publications that a check holds; no cube

portal-admin-audit-hint = Newest first. Records hold what others asked, so this search is recorded too.
portal-admin-action = What happened
portal-admin-since = From (UTC)
portal-admin-search = Search
portal-admin-verify = Verify the whole log
portal-admin-verified = { $count ->
        [one] { $count } record: the audit log holds.
       *[other] { $count } records: the audit log holds.
    }
portal-admin-verified-after = Records up to { $number } were dropped when their time was over.
portal-admin-verified-note = Note this place elsewhere, to compare it later:
portal-admin-no-records = No record fits.
portal-admin-sequence = No.
portal-admin-at = Time (UTC)
portal-admin-details = Details
portal-admin-paging = Pages
portal-admin-newest = Newest
portal-admin-older = Older
portal-action-statement = Statement begun
portal-action-statement-refused = Statement refused
portal-action-statement-ended = Statement ended
portal-action-statement-stopped = Statement stopped
portal-action-export = Data taken out
portal-action-result-read = Kept result read
portal-action-login = Login
portal-action-login-failed = Login failed
portal-action-user-created = User added
portal-action-user-changed = User changed
portal-action-password-changed = Password changed
portal-action-token-created = Token made
portal-action-token-revoked = Token revoked
portal-action-publish = Editions published
portal-action-schedule = Schedule changed
portal-action-resend = Delivery sent again
portal-action-edition-refused = Edition refused
portal-action-edition-swept = Half edition removed
portal-action-load = Batch loaded
portal-action-refresh = Rollups refreshed
portal-action-audit-read = Audit log read
portal-action-audit-dropped = Old audit records dropped
