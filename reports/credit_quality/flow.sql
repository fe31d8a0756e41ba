-- How non-performing loans of the last day of the year before became those of today, month by month: each loan of two
-- months that follow each other stands in at most one part, so the parts add up.
WITH held AS (
  SELECT account_id, account_close_reason, month, SUM(non_performing) AS bad
  FROM credit
  WHERE month BETWEEN $base AND $month
  GROUP BY account_id, account_close_reason, month
), moves AS (
  SELECT coalesce(p.bad, CAST(0 AS DECIMAL(18,2))) AS was, coalesce(n.bad, CAST(0 AS DECIMAL(18,2))) AS is_now,
         n.account_id IS NULL AS is_gone, p.account_close_reason AS reason
  FROM (SELECT account_id, account_close_reason, month, bad FROM held WHERE month > $base) AS n
  FULL JOIN (SELECT account_id, account_close_reason, month + INTERVAL '1 month' AS month, bad
             FROM held WHERE month < $month) AS p
    ON p.account_id = n.account_id AND p.month = n.month
), parts AS (
  SELECT CASE WHEN was = 0 THEN 1 WHEN is_gone AND reason = 'written_off' THEN 5 WHEN is_gone THEN 4
              WHEN is_now = 0 THEN 2 ELSE 3 END AS part,
         COUNT(*) AS loans, SUM(is_now - was) AS amount
  FROM moves
  WHERE was <> 0 OR is_now <> 0
  GROUP BY 1
), ends AS (
  SELECT coalesce(SUM(CASE WHEN month = $base  THEN bad END), 0) AS opening,
         coalesce(SUM(CASE WHEN month = $month THEN bad END), 0) AS closing
  FROM held
), bridge AS (
  SELECT 0 AS part, opening AS amount FROM ends
  UNION ALL
  SELECT part, amount FROM parts WHERE amount <> 0
  UNION ALL
  SELECT 6, closing FROM ends
)
SELECT CASE part WHEN 0 THEN CASE WHEN $lang = 'en' THEN 'Start of the year' ELSE '年初不良' END
                 WHEN 1 THEN CASE WHEN $lang = 'en' THEN 'Newly bad'         ELSE '新增不良' END
                 WHEN 2 THEN CASE WHEN $lang = 'en' THEN 'Cured'             ELSE '转回正常或关注' END
                 WHEN 3 THEN CASE WHEN $lang = 'en' THEN 'Balance changed'   ELSE '余额变动' END
                 WHEN 4 THEN CASE WHEN $lang = 'en' THEN 'Repaid'            ELSE '结清' END
                 WHEN 5 THEN CASE WHEN $lang = 'en' THEN 'Written off'       ELSE '核销' END
                 ELSE        CASE WHEN $lang = 'en' THEN 'Now'               ELSE '期末不良' END END AS step,
       amount
FROM bridge
WHERE EXISTS (SELECT 1 FROM parts) AND EXISTS (SELECT 1 FROM held WHERE month = $base)
ORDER BY part
