-- Shares of income, the year so far. One row.
SELECT SUM(income) AS income, MEASURE(fee_share) AS fee_share, MEASURE(cost_income_ratio) AS cost_income_ratio,
       CAST(SUM(expected_loss) AS DOUBLE) / CAST(NULLIF(SUM(income), 0) AS DOUBLE) AS loss_share
FROM profit
WHERE month BETWEEN $year_from AND $month
