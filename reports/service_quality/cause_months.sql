-- Complaints by cause and month, 13 months; none is a number.
WITH counts AS (
  SELECT cause, CASE WHEN $lang = 'en' THEN cause_name_en ELSE cause_name END AS name, month, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY cause, cause_name, cause_name_en, month
), months AS (
  SELECT month FROM service WHERE month BETWEEN $prior_year AND $month GROUP BY month
), causes AS (
  SELECT cause, name, SUM(complaints) AS whole FROM counts GROUP BY cause, name
)
SELECT m.month, c.name, coalesce(n.complaints, 0) AS complaints
FROM causes c
CROSS JOIN months m
LEFT JOIN counts n ON n.cause = c.cause AND n.month = m.month
ORDER BY c.whole DESC, c.cause, m.month
