-- Loans and cards opened in each quarter of the last two years: the share that was ever overdue, by full months since the
-- month of opening. A cohort's cell is empty while its youngest loan has not come that far.
WITH held AS (
  SELECT account_id, account_opened_on, month, MAX(longest_overdue) AS days
  FROM credit
  WHERE account_opened_on >= $trend_from AND month BETWEEN $trend_from AND $month
  GROUP BY account_id, account_opened_on, month
), ages AS (
  SELECT account_id, date_trunc('quarter', account_opened_on) AS cohort, days,
         (EXTRACT(YEAR FROM month) - EXTRACT(YEAR FROM account_opened_on)) * 12
           + EXTRACT(MONTH FROM month) - EXTRACT(MONTH FROM account_opened_on) AS age
  FROM held
), loans AS (
  SELECT account_id, cohort, MIN(CASE WHEN days > 0 THEN age END) AS first_late
  FROM ages
  GROUP BY account_id, cohort
), cohorts AS (
  SELECT cohort, COUNT(*) AS loans, COUNT(first_late) AS late,
         (EXTRACT(YEAR FROM $month) - EXTRACT(YEAR FROM cohort)) * 12
           + EXTRACT(MONTH FROM $month) - EXTRACT(MONTH FROM cohort) - 2 AS reached,
         CAST(COUNT(CASE WHEN first_late <= 3  THEN 1 END) AS DOUBLE) / COUNT(*) AS m3,
         CAST(COUNT(CASE WHEN first_late <= 6  THEN 1 END) AS DOUBLE) / COUNT(*) AS m6,
         CAST(COUNT(CASE WHEN first_late <= 9  THEN 1 END) AS DOUBLE) / COUNT(*) AS m9,
         CAST(COUNT(CASE WHEN first_late <= 12 THEN 1 END) AS DOUBLE) / COUNT(*) AS m12,
         CAST(COUNT(CASE WHEN first_late <= 15 THEN 1 END) AS DOUBLE) / COUNT(*) AS m15,
         CAST(COUNT(CASE WHEN first_late <= 18 THEN 1 END) AS DOUBLE) / COUNT(*) AS m18,
         CAST(COUNT(CASE WHEN first_late <= 21 THEN 1 END) AS DOUBLE) / COUNT(*) AS m21
  FROM loans
  GROUP BY cohort
)
SELECT concat(CAST(CAST(EXTRACT(YEAR FROM cohort) AS BIGINT) AS VARCHAR), ' Q',
              CAST(CAST(EXTRACT(QUARTER FROM cohort) AS BIGINT) AS VARCHAR),
              CASE WHEN $lang = 'en' THEN ' (n ' ELSE '（' END, CAST(loans AS VARCHAR),
              CASE WHEN $lang = 'en' THEN ')' ELSE ' 笔）' END) AS cohort_name,
       CASE WHEN reached >= 3  THEN m3  END AS m3,  CASE WHEN reached >= 6  THEN m6  END AS m6,
       CASE WHEN reached >= 9  THEN m9  END AS m9,  CASE WHEN reached >= 12 THEN m12 END AS m12,
       CASE WHEN reached >= 15 THEN m15 END AS m15, CASE WHEN reached >= 18 THEN m18 END AS m18,
       CASE WHEN reached >= 21 THEN m21 END AS m21
FROM cohorts
WHERE reached >= 3
ORDER BY cohort
