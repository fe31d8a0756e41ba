-- Open issues, actions that are not verified yet, and those that are late by the as-of date. One row.
WITH issues AS (
  SELECT COUNT(*) AS open_issues
  FROM evaluation.issue
  WHERE status = 'open' AND ($scope = 'head_office' OR organisation = $scope)
), actions AS (
  SELECT COUNT(*) AS open_actions, COUNT(CASE WHEN status = 'open' AND due < $as_of THEN 1 END) AS late_actions
  FROM evaluation.action
  WHERE status IN ('open', 'done') AND ($scope = 'head_office' OR organisation = $scope)
)
SELECT i.open_issues, a.open_actions, a.late_actions FROM issues i CROSS JOIN actions a
