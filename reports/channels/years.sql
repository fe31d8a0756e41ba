-- The electronic share of 12 months beside the same months of the year before.
WITH months AS (
  SELECT month, MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $trend_from AND $month AND is_customer_initiated
  GROUP BY month
)
SELECT n.month, n.electronic_share, b.electronic_share AS electronic_share_prior_year
FROM months n
LEFT JOIN months b ON b.month = n.month - INTERVAL '12 months'
WHERE n.month >= $year_back
ORDER BY n.month
