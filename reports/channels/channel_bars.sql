-- The share of each channel, this year so far and in the same months of the year before.
WITH now AS (
  SELECT channel, CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY channel, channel_name, channel_name_en
), before AS (
  SELECT channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY channel
)
SELECT n.name,
       CAST(n.transactions AS DOUBLE) / SUM(n.transactions) OVER ()                                AS share,
       CAST(b.transactions AS DOUBLE) / (SELECT SUM(transactions) FROM before)                     AS share_prior_year
FROM now n
LEFT JOIN before b ON b.channel = n.channel
ORDER BY n.transactions DESC, n.channel
