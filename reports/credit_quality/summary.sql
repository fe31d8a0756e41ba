-- Loans at the as-of month, the month before and the last of the year before. Changes of ratios are rounded as they are
-- printed, so that one which prints as zero is called none. One row.
WITH months AS (
  SELECT month, SUM(outstanding) AS outstanding, SUM(non_performing) AS non_performing, SUM(expected_loss) AS expected_loss,
         SUM(overdue_amount) AS overdue_amount, MEASURE(borrowers) AS borrowers, SUM(loans) AS loans,
         MEASURE(non_performing_ratio) AS npl_ratio, MEASURE(overdue_ratio) AS overdue_ratio
  FROM credit
  WHERE month IN ($month, $prior_month, $base)
  GROUP BY month
), watched AS (
  SELECT coalesce(SUM(CASE WHEN month = $month THEN outstanding END), 0) AS watched,
         coalesce(SUM(CASE WHEN month = $month THEN loans END), 0)       AS watched_loans,
         coalesce(SUM(CASE WHEN month = $base THEN outstanding END), 0)  AS watched_year_start
  FROM (SELECT month, SUM(outstanding) AS outstanding, SUM(loans) AS loans
        FROM credit
        WHERE month IN ($month, $base) AND loan_class = 'special_mention'
        GROUP BY month)
), figures AS (
  SELECT MAX(CASE WHEN month = $month       THEN outstanding END)    AS outstanding,
         MAX(CASE WHEN month = $prior_month THEN outstanding END)    AS outstanding_prior_month,
         MAX(CASE WHEN month = $base        THEN outstanding END)    AS outstanding_year_start,
         MAX(CASE WHEN month = $month       THEN non_performing END) AS non_performing,
         MAX(CASE WHEN month = $prior_month THEN non_performing END) AS non_performing_prior_month,
         MAX(CASE WHEN month = $base        THEN non_performing END) AS non_performing_year_start,
         MAX(CASE WHEN month = $month       THEN npl_ratio END)      AS npl_ratio,
         MAX(CASE WHEN month = $prior_month THEN npl_ratio END)      AS npl_ratio_prior_month,
         MAX(CASE WHEN month = $base        THEN npl_ratio END)      AS npl_ratio_year_start,
         MAX(CASE WHEN month = $month       THEN overdue_ratio END)  AS overdue_ratio,
         MAX(CASE WHEN month = $prior_month THEN overdue_ratio END)  AS overdue_ratio_prior_month,
         MAX(CASE WHEN month = $base        THEN overdue_ratio END)  AS overdue_ratio_year_start,
         MAX(CASE WHEN month = $month       THEN expected_loss END)  AS expected_loss,
         MAX(CASE WHEN month = $prior_month THEN expected_loss END)  AS expected_loss_prior_month,
         MAX(CASE WHEN month = $base        THEN expected_loss END)  AS expected_loss_year_start,
         MAX(CASE WHEN month = $month       THEN borrowers END)      AS borrowers,
         MAX(CASE WHEN month = $prior_month THEN borrowers END)      AS borrowers_prior_month,
         MAX(CASE WHEN month = $base        THEN borrowers END)      AS borrowers_year_start,
         MAX(CASE WHEN month = $month       THEN loans END)          AS loans
  FROM months
)
SELECT figures.*, watched.watched, watched.watched_loans, watched.watched - watched.watched_year_start AS watched_change,
       outstanding - outstanding_year_start                                                           AS since_year_start,
       CAST(outstanding AS DOUBLE) / CAST(NULLIF(outstanding_year_start, 0) AS DOUBLE) - 1 AS since_year_start_share,
       ROUND(CAST(npl_ratio AS DOUBLE) - CAST(npl_ratio_year_start AS DOUBLE), 4)                     AS npl_change,
       ROUND(CAST(npl_ratio AS DOUBLE) - CAST(npl_ratio_prior_month AS DOUBLE), 4)                    AS npl_change_month,
       ROUND(CAST(overdue_ratio AS DOUBLE) - CAST(overdue_ratio_year_start AS DOUBLE), 4)             AS overdue_change,
       expected_loss - expected_loss_year_start                                                       AS expected_loss_change,
       CAST(expected_loss AS DOUBLE) / CAST(NULLIF(outstanding, 0) AS DOUBLE)                         AS loss_rate,
       CASE WHEN non_performing > 0
            THEN concat(CASE WHEN $lang = 'en' THEN ' and ' ELSE '，为不良余额的 ' END,
                        CAST(CAST(ROUND(100 * CAST(expected_loss AS DOUBLE) / CAST(non_performing AS DOUBLE)) AS BIGINT) AS VARCHAR), '%',
                        CASE WHEN $lang = 'en' THEN ' of non-performing ones' ELSE '' END)
            WHEN $lang = 'en' THEN '; there are no non-performing ones' ELSE '；没有不良贷款' END           AS coverage_note,
       CASE WHEN non_performing > 0 AND non_performing_year_start > 0
            THEN concat(CASE WHEN $lang = 'en' THEN ' (' ELSE '（年初 ' END,
                        CAST(CAST(ROUND(100 * CAST(expected_loss_year_start AS DOUBLE)
                                            / CAST(non_performing_year_start AS DOUBLE)) AS BIGINT) AS VARCHAR), '%',
                        CASE WHEN $lang = 'en' THEN ' at the start of the year)' ELSE '）' END)
            ELSE '' END                                                                               AS coverage_before
FROM figures CROSS JOIN watched
