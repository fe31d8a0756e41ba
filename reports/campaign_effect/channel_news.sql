-- The cheapest and the dearest channel per contact. One row.
WITH channels AS (
  SELECT channel, CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         CAST(SUM(cost) AS DOUBLE) / NULLIF(SUM(contacts), 0) AS price
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_group = 'treatment'
  GROUP BY channel, channel_name, channel_name_en
), placed AS (
  SELECT name, price, ROW_NUMBER() OVER (ORDER BY price, channel) AS cheap,
         ROW_NUMBER() OVER (ORDER BY price DESC, channel) AS dear
  FROM channels
  WHERE price IS NOT NULL
)
SELECT MAX(CASE WHEN cheap = 1 THEN name END) AS cheapest, MAX(CASE WHEN cheap = 1 THEN price END) AS cheapest_price,
       MAX(CASE WHEN dear = 1 THEN name END)  AS dearest,  MAX(CASE WHEN dear = 1 THEN price END)  AS dearest_price
FROM placed
