-- Transactions that customers start, at the as-of month, the month before and a year before. One row.
WITH months AS (
  SELECT month, SUM(transactions) AS transactions, MEASURE(electronic_share) AS electronic_share,
         MEASURE(customers) AS customers
  FROM transactions
  WHERE month IN ($month, $prior_month, $prior_year) AND is_customer_initiated
  GROUP BY month
), electronic AS (
  SELECT month, MEASURE(customers) AS customers
  FROM transactions
  WHERE month IN ($month, $prior_month, $prior_year) AND is_customer_initiated AND is_electronic
  GROUP BY month
), channels AS (
  SELECT month, channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month IN ($month, $prior_month, $prior_year) AND is_customer_initiated
  GROUP BY month, channel
), shares AS (
  SELECT month,
         CAST(coalesce(SUM(transactions) FILTER (WHERE channel = 'MB'), 0) AS DOUBLE) / SUM(transactions) AS mobile,
         CAST(coalesce(SUM(transactions) FILTER (WHERE channel = 'CN'), 0) AS DOUBLE) / SUM(transactions) AS counter
  FROM channels
  GROUP BY month
), joined AS (
  SELECT m.month, m.transactions, m.electronic_share, s.mobile, s.counter,
         CAST(coalesce(e.customers, 0) AS DOUBLE) / NULLIF(m.customers, 0) AS reach
  FROM months m
  LEFT JOIN electronic e ON e.month = m.month
  LEFT JOIN shares s ON s.month = m.month
), figures AS (
  SELECT MAX(CASE WHEN month = $month       THEN transactions END)     AS transactions,
         MAX(CASE WHEN month = $prior_month THEN transactions END)     AS transactions_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN transactions END)     AS transactions_prior_year,
         MAX(CASE WHEN month = $month       THEN electronic_share END) AS electronic_share,
         MAX(CASE WHEN month = $prior_month THEN electronic_share END) AS electronic_share_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN electronic_share END) AS electronic_share_prior_year,
         MAX(CASE WHEN month = $month       THEN mobile END)           AS mobile,
         MAX(CASE WHEN month = $prior_month THEN mobile END)           AS mobile_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN mobile END)           AS mobile_prior_year,
         MAX(CASE WHEN month = $month       THEN counter END)          AS counter,
         MAX(CASE WHEN month = $prior_month THEN counter END)          AS counter_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN counter END)          AS counter_prior_year,
         MAX(CASE WHEN month = $month       THEN reach END)            AS reach,
         MAX(CASE WHEN month = $prior_month THEN reach END)            AS reach_prior_month,
         MAX(CASE WHEN month = $prior_year  THEN reach END)            AS reach_prior_year
  FROM joined
)
SELECT * FROM figures
