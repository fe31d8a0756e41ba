-- Shares of the year so far beside the same months of the year before: single months of a small unit jump. One row. Changes
-- are rounded as they are printed, so that one which prints as zero is called none. `avoided` are the transactions that the
-- counter would have served in addition with its share of the year before; contacts at the counter tell its unit cost.
WITH this_year AS (
  SELECT SUM(transactions) AS transactions, MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
), last_year AS (
  SELECT SUM(transactions) AS transactions, MEASURE(electronic_share) AS electronic_share
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
), mix AS (
  SELECT channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY channel
), mix_before AS (
  SELECT channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY channel
), parts AS (
  SELECT coalesce(SUM(transactions) FILTER (WHERE channel = 'MB'), 0) AS mobile,
         coalesce(SUM(transactions) FILTER (WHERE channel = 'CN'), 0) AS counter
  FROM mix
), parts_before AS (
  SELECT coalesce(SUM(transactions) FILTER (WHERE channel = 'MB'), 0) AS mobile,
         coalesce(SUM(transactions) FILTER (WHERE channel = 'CN'), 0) AS counter
  FROM mix_before
), prices AS (
  SELECT CAST(SUM(cost) AS DOUBLE) / NULLIF(SUM(contacts), 0) AS counter
  FROM service
  WHERE month BETWEEN $trend_from AND $month AND channel = 'CN'            -- two years: few contacts are at the counter
), shares AS (
  SELECT t.transactions, l.transactions AS transactions_before,
         t.electronic_share, l.electronic_share AS electronic_share_before,
         p.counter AS counter_now, CASE WHEN l.transactions > 0 THEN b.counter END AS counter_before,
         CAST(p.mobile AS DOUBLE) / NULLIF(t.transactions, 0)  AS mobile,
         CAST(b.mobile AS DOUBLE) / NULLIF(l.transactions, 0)  AS mobile_before,
         CAST(p.counter AS DOUBLE) / NULLIF(t.transactions, 0) AS counter,
         CAST(b.counter AS DOUBLE) / NULLIF(l.transactions, 0) AS counter_share_before,
         c.counter AS counter_price
  FROM this_year t CROSS JOIN last_year l CROSS JOIN parts p CROSS JOIN parts_before b CROSS JOIN prices c
)
SELECT transactions, transactions_before AS transactions_prior_year,
       electronic_share, electronic_share_before AS electronic_share_prior_year,
       ROUND(CAST(electronic_share AS DOUBLE) - CAST(electronic_share_before AS DOUBLE), 3) AS electronic_change,
       mobile, mobile_before AS mobile_prior_year, ROUND(mobile - mobile_before, 3)         AS mobile_change,
       counter, counter_share_before AS counter_prior_year, ROUND(counter - counter_share_before, 3) AS counter_change,
       counter_now AS counter_transactions, counter_before AS counter_transactions_prior_year,
       CAST(ROUND((counter_share_before - counter) * transactions, 0) AS BIGINT)            AS avoided,
       ROUND((counter_share_before - counter) * transactions, 0) * counter_price            AS avoided_cost,
       counter_price
FROM shares
