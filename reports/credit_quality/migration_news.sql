-- How much of sound loans falls overdue in a month, and how much of the first bucket rolls on. One row.
WITH held AS (
  SELECT account_id, month, overdue_bucket, SUM(outstanding) AS outstanding
  FROM credit
  WHERE month BETWEEN $prior_year AND $month
  GROUP BY account_id, month, overdue_bucket
), moves AS (
  SELECT p.overdue_bucket AS was, p.outstanding, n.overdue_bucket AS is_now
  FROM (SELECT account_id, month + INTERVAL '1 month' AS month, overdue_bucket, outstanding
        FROM held WHERE month < $month) AS p
  LEFT JOIN held n ON n.account_id = p.account_id AND n.month = p.month
), shares AS (
  SELECT CAST(SUM(CASE WHEN was = 'current' AND is_now = '1-30' THEN outstanding ELSE 0 END) AS DOUBLE)
           / CAST(NULLIF(SUM(CASE WHEN was = 'current' THEN outstanding END), 0) AS DOUBLE)  AS entry,
         COUNT(CASE WHEN was = 'current' AND is_now = '1-30' THEN 1 END)                     AS entries,
         CAST(SUM(CASE WHEN was = '1-30' AND is_now = '31-60' THEN outstanding ELSE 0 END) AS DOUBLE)
           / CAST(NULLIF(SUM(CASE WHEN was = '1-30' THEN outstanding END), 0) AS DOUBLE)     AS roll,
         COUNT(CASE WHEN was = '1-30' AND is_now = '31-60' THEN 1 END)                       AS rolls,
         COUNT(CASE WHEN was = '1-30' THEN 1 END)                                            AS firsts,
         CAST(SUM(CASE WHEN was IN ('91-180', 'over 180') AND is_now = 'current' THEN outstanding ELSE 0 END) AS DOUBLE)
           / CAST(NULLIF(SUM(CASE WHEN was IN ('91-180', 'over 180') THEN outstanding END), 0) AS DOUBLE) AS cure
  FROM moves
)
SELECT entry, entries,
       CASE WHEN roll IS NULL THEN ''
            WHEN $lang = 'en' THEN concat('; ', CAST(CAST(ROUND(100 * roll) AS BIGINT) AS VARCHAR),
                '% of those 1–30 days overdue roll on (',
                                          CAST(rolls AS VARCHAR), ' of ', CAST(firsts AS VARCHAR), ' loans)')
            ELSE concat('；逾期 1–30 天的余额 ', CAST(CAST(ROUND(100 * roll) AS BIGINT) AS VARCHAR), '% 滚入下一段（',
                        CAST(rolls AS VARCHAR), ' / ', CAST(firsts AS VARCHAR), ' 笔）') END AS roll_note,
       CASE WHEN cure IS NULL THEN ''
            WHEN $lang = 'en' THEN concat('; ', CAST(CAST(ROUND(100 * cure) AS BIGINT) AS VARCHAR),
                '% of those over 90 days are cured')
            ELSE concat('；逾期 90 天以上每月 ', CAST(CAST(ROUND(100 * cure) AS BIGINT) AS VARCHAR), '% 转回正常') END AS cure_note
FROM shares
