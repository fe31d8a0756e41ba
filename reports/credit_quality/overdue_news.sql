-- Overdue loans: how many, how much, and the share of the largest. One row.
WITH loans AS (
  SELECT account_id, SUM(outstanding) AS outstanding
  FROM credit
  WHERE month = $month AND overdue_bucket <> 'current'
  GROUP BY account_id
)
SELECT COUNT(*) AS loans, coalesce(SUM(outstanding), 0) AS outstanding,
       CASE WHEN COUNT(*) = 0 THEN ''
            ELSE concat(CASE WHEN $lang = 'en' THEN '; the largest is ' ELSE '，最大一笔占 ' END,
                        CAST(CAST(ROUND(100 * CAST(MAX(outstanding) AS DOUBLE) / CAST(SUM(outstanding) AS DOUBLE)) AS BIGINT) AS VARCHAR),
                        CASE WHEN $lang = 'en' THEN '% of it' ELSE '%' END) END AS largest_note
FROM loans
