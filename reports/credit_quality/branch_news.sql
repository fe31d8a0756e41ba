-- Where expected losses rose most and fell most since the start of the year, and how many have overdue loans. One row.
WITH now AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, coalesce(branch_code, org_id) AS unit,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(expected_loss) AS expected_loss, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), before AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(expected_loss) AS expected_loss, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month = $base
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM now WHERE is_branch
), placed AS (
  SELECT l.whole, n.name, n.overdue_ratio, n.overdue_ratio - b.overdue_ratio AS change,
         n.expected_loss - b.expected_loss AS loss_change,
         ROW_NUMBER() OVER (ORDER BY n.overdue_ratio - b.overdue_ratio DESC NULLS LAST, n.unit)      AS worse,
         ROW_NUMBER() OVER (ORDER BY n.expected_loss - b.expected_loss DESC NULLS LAST, n.unit)      AS dearer
  FROM now n
  CROSS JOIN level l
  LEFT JOIN before b ON b.unit = n.unit
  WHERE n.is_branch = l.whole
)
SELECT COUNT(*)                                          AS units,
       COUNT(CASE WHEN overdue_ratio > 0 THEN 1 END)     AS late,
       COUNT(CASE WHEN change > 0 THEN 1 END)            AS rising,
       MAX(CASE WHEN worse = 1 THEN name END)            AS worst,
       MAX(CASE WHEN worse = 1 THEN change END)          AS worst_change,
       MAX(CASE WHEN worse = 1 THEN overdue_ratio END)   AS worst_ratio,
       MAX(CASE WHEN dearer = 1 THEN name END)           AS dearest,
       MAX(CASE WHEN dearer = 1 THEN loss_change END)    AS dearest_change,
       CASE WHEN bool_or(whole) AND $lang = 'en' THEN 'branches' WHEN bool_or(whole) THEN '家分行'
            WHEN $lang = 'en' THEN 'offices' ELSE '个网点' END AS noun
FROM placed
