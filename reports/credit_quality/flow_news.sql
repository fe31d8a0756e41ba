-- What became non-performing in the year so far and what ceased to be; the largest loan among today's. One row.
WITH held AS (
  SELECT account_id, account_close_reason, month, CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS unit,
         SUM(non_performing) AS bad
  FROM credit
  WHERE month BETWEEN $base AND $month
  GROUP BY account_id, account_close_reason, month, branch, branch_name_en
), moves AS (
  SELECT coalesce(p.bad, CAST(0 AS DECIMAL(18,2))) AS was, coalesce(n.bad, CAST(0 AS DECIMAL(18,2))) AS is_now,
         n.account_id IS NULL AS is_gone, p.account_close_reason AS reason, p.unit
  FROM (SELECT account_id, account_close_reason, month, bad FROM held WHERE month > $base) AS n
  FULL JOIN (SELECT account_id, account_close_reason, month + INTERVAL '1 month' AS month, unit, bad
             FROM held WHERE month < $month) AS p
    ON p.account_id = n.account_id AND p.month = n.month
), today AS (
  SELECT COUNT(CASE WHEN bad <> 0 THEN 1 END) AS loans, SUM(bad) AS bad, MAX(bad) AS largest
  FROM held
  WHERE month = $month
), largest AS (
  SELECT unit FROM moves WHERE was <> 0 AND is_now = 0 AND NOT is_gone ORDER BY was DESC, unit LIMIT 1
), flows AS (
  SELECT coalesce(SUM(CASE WHEN was = 0 THEN is_now END), 0)                                        AS formed,
         COUNT(CASE WHEN was = 0 AND is_now <> 0 THEN 1 END)                                        AS formed_loans,
         coalesce(SUM(CASE WHEN was <> 0 AND is_now = 0 AND NOT is_gone THEN was END), 0)           AS cured,
         COUNT(CASE WHEN was <> 0 AND is_now = 0 AND NOT is_gone THEN 1 END)                        AS cured_loans,
         coalesce(SUM(CASE WHEN was <> 0 AND is_gone AND reason = 'written_off' THEN was END), 0)   AS written_off,
         COUNT(CASE WHEN was <> 0 AND is_gone AND reason = 'written_off' THEN 1 END)                AS written_off_loans
  FROM moves
)
SELECT f.*, t.loans, t.bad,
       CASE WHEN l.unit IS NULL THEN '' WHEN $lang = 'en' THEN concat(' (the largest in ', l.unit, ')')
            ELSE concat('（最大一笔在', l.unit, '）') END AS cured_where,
       CASE WHEN coalesce(t.bad, 0) = 0 THEN ''
            ELSE concat(CASE WHEN $lang = 'en' THEN ', the largest is ' ELSE '，最大一笔占 ' END,
                        CAST(CAST(ROUND(100 * CAST(t.largest AS DOUBLE) / CAST(t.bad AS DOUBLE)) AS BIGINT) AS VARCHAR), '%',
                        CASE WHEN $lang = 'en' THEN ' of them' ELSE '' END) END AS largest_note
FROM flows f
CROSS JOIN today t
LEFT JOIN largest l ON TRUE
