-- How many units differ in their share of responses from the whole, beyond what chance does to so many. One row.
WITH treated AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, GROUPING(org_id) = 0 AS is_office,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         coalesce(branch_code, org_id, '') AS unit, SUM(contacts) AS contacts, SUM(responses) AS responses
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_group = 'treatment'
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM treated WHERE is_branch
), rates AS (
  SELECT l.whole, t.name, t.unit, t.contacts, CAST(t.responses AS DOUBLE) / NULLIF(t.contacts, 0) AS rate,
         CAST(w.responses AS DOUBLE) / NULLIF(w.contacts, 0) AS whole_rate
  FROM treated t
  CROSS JOIN level l
  CROSS JOIN (SELECT responses, contacts FROM treated WHERE unit = '') AS w
  WHERE CASE WHEN t.is_branch THEN l.whole WHEN t.is_office THEN NOT l.whole ELSE FALSE END
), judged AS (
  SELECT *, (rate - whole_rate) / NULLIF(sqrt(whole_rate * (1 - whole_rate) / NULLIF(contacts, 0)), 0) AS distance FROM rates
)
SELECT COUNT(*) AS units, MAX(whole_rate) AS whole_rate, MIN(contacts) AS fewest, MAX(contacts) AS most,
       COUNT(CASE WHEN distance > 2.576 THEN 1 END)  AS above,
       COUNT(CASE WHEN distance < -2.576 THEN 1 END) AS below,
       CASE WHEN bool_or(whole) AND $lang = 'en' THEN 'branches' WHEN bool_or(whole) THEN '家分行'
            WHEN $lang = 'en' THEN 'offices' ELSE '个网点' END AS noun
FROM judged
