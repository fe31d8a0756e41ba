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
