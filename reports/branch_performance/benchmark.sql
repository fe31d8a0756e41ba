-- Benchmark: four measures of each unit, its distance from the middle unit, and the quarter in which the mean of its four
-- ranks puts it. The last row is the median of each measure.
WITH held AS (
  SELECT GROUPING(branch_code) = 0          AS is_branch,
         GROUPING(org_id) = 0               AS is_office,
         coalesce(branch_code, org_id)      AS unit,
         branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         MEASURE(balance_vs_prior_year_pct) AS growth,
         MEASURE(customers)                 AS customers
  FROM deposits
  WHERE month = $month
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en))
), earned AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(contribution) AS contribution,
         MEASURE(cost_income_ratio) AS cost_income_ratio
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), heard AS (
  SELECT coalesce(branch_code, org_id) AS unit, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((branch_code), (org_id))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM held WHERE is_branch
), units AS (
  SELECT h.unit, h.branch_code, h.name, CAST(h.growth AS DOUBLE) AS growth,
         CASE WHEN h.customers > 0 THEN CAST(e.contribution AS DOUBLE) / h.customers END AS per_customer,
         CAST(e.cost_income_ratio AS DOUBLE) AS cost_income_ratio,
         CASE WHEN h.customers > 0 THEN coalesce(s.complaints, 0) * 100.0 / h.customers END AS complaints
  FROM held h
  CROSS JOIN level l
  LEFT JOIN earned e ON e.unit = h.unit
  LEFT JOIN heard s ON s.unit = h.unit
  WHERE h.is_branch = l.whole
), middle AS (
  SELECT MEDIAN(growth) AS growth, MEDIAN(per_customer) AS per_customer, MEDIAN(cost_income_ratio) AS cost_income_ratio,
         MEDIAN(complaints) AS complaints
  FROM units
), judged AS (
  SELECT u.*, u.growth - m.growth AS growth_gap, u.per_customer - m.per_customer AS per_customer_gap,
         u.cost_income_ratio - m.cost_income_ratio AS cost_income_gap, u.complaints - m.complaints AS complaints_gap,
         CASE WHEN u.growth > m.growth THEN 1 ELSE 0 END
       + CASE WHEN u.per_customer > m.per_customer THEN 1 ELSE 0 END
       + CASE WHEN u.cost_income_ratio < m.cost_income_ratio THEN 1 ELSE 0 END
       + CASE WHEN u.complaints < m.complaints THEN 1 ELSE 0 END AS better,
         (PERCENT_RANK() OVER (ORDER BY u.growth NULLS FIRST)
        + PERCENT_RANK() OVER (ORDER BY u.per_customer NULLS FIRST)
        + PERCENT_RANK() OVER (ORDER BY u.cost_income_ratio DESC NULLS FIRST)
        + PERCENT_RANK() OVER (ORDER BY u.complaints DESC NULLS FIRST)) / 4 AS score
  FROM units u CROSS JOIN middle m
), placed AS (
  SELECT *, NTILE(4) OVER (ORDER BY score DESC, unit) AS quarter, ROW_NUMBER() OVER (ORDER BY score DESC, unit) AS place
  FROM judged
)
SELECT FALSE AS is_median, place, name, branch_code, quarter, score, better, growth, growth_gap, per_customer, per_customer_gap,
       cost_income_ratio, cost_income_gap, complaints, complaints_gap
FROM placed
UNION ALL
SELECT TRUE, NULL, CASE WHEN $lang = 'en' THEN 'Median' ELSE '中位数' END, NULL, NULL, NULL, NULL,
       growth, NULL, per_customer, NULL, cost_income_ratio, NULL, complaints, NULL
FROM middle
ORDER BY is_median, place
