-- The five classes at the as-of month beside the last month of the year before, then the total, which is asked for. A class
-- without loans stands in the table too.
WITH names AS (
  SELECT 1 AS place, 'normal' AS loan_class, CASE WHEN $lang = 'en' THEN 'Normal' ELSE '正常' END AS name
  UNION ALL SELECT 2, 'special_mention', CASE WHEN $lang = 'en' THEN 'Special mention' ELSE '关注' END
  UNION ALL SELECT 3, 'substandard',     CASE WHEN $lang = 'en' THEN 'Substandard'     ELSE '次级' END
  UNION ALL SELECT 4, 'doubtful',        CASE WHEN $lang = 'en' THEN 'Doubtful'        ELSE '可疑' END
  UNION ALL SELECT 5, 'loss',            CASE WHEN $lang = 'en' THEN 'Loss'            ELSE '损失' END
  UNION ALL SELECT 6, '',                CASE WHEN $lang = 'en' THEN 'Total'           ELSE '合计' END
), now AS (
  SELECT coalesce(loan_class, '') AS loan_class, SUM(outstanding) AS outstanding, SUM(loans) AS loans,
         SUM(expected_loss) AS expected_loss, SUM(overdue_amount) AS overdue_amount
  FROM credit
  WHERE month = $month
  GROUP BY GROUPING SETS ((loan_class), ())
), before AS (
  SELECT coalesce(loan_class, '') AS loan_class, SUM(outstanding) AS outstanding, SUM(expected_loss) AS expected_loss
  FROM credit
  WHERE month = $base
  GROUP BY GROUPING SETS ((loan_class), ())
), whole AS (
  SELECT outstanding FROM now WHERE loan_class = ''
), whole_before AS (
  SELECT outstanding FROM before WHERE loan_class = ''
), joined AS (
  SELECT m.place, m.loan_class, m.name,
         coalesce(n.outstanding, 0) AS outstanding, coalesce(n.loans, 0) AS loans,
         coalesce(n.expected_loss, 0) AS expected_loss, coalesce(n.overdue_amount, 0) AS overdue_amount,
         CASE WHEN b.outstanding IS NOT NULL OR wb.outstanding IS NOT NULL THEN coalesce(b.outstanding, 0) END AS was,
         CASE WHEN wb.outstanding IS NOT NULL THEN coalesce(b.expected_loss, 0) END AS loss_was,
         w.outstanding AS whole, wb.outstanding AS whole_before
  FROM names m
  CROSS JOIN whole w
  LEFT JOIN whole_before wb ON TRUE
  LEFT JOIN now n    ON n.loan_class = m.loan_class
  LEFT JOIN before b ON b.loan_class = m.loan_class
)
SELECT loan_class = '' AS is_total, name, loans, outstanding,
       CAST(outstanding AS DOUBLE) / CAST(NULLIF(whole, 0) AS DOUBLE) AS share,
       CAST(was AS DOUBLE) / CAST(NULLIF(whole_before, 0) AS DOUBLE)  AS share_year_start,
       outstanding - was AS since_year_start,
       overdue_amount, expected_loss, expected_loss - loss_was AS expected_loss_change,
       CAST(expected_loss AS DOUBLE) / CAST(NULLIF(outstanding, 0) AS DOUBLE) AS loss_rate
FROM joined
ORDER BY place
