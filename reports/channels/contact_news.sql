-- What contacts cost this year, and which channel costs most. One row.
WITH channels AS (
  SELECT channel, CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         SUM(contacts) AS contacts, SUM(cost) AS cost
  FROM service
  WHERE month BETWEEN $year_from AND $month
  GROUP BY channel, channel_name, channel_name_en
), placed AS (
  SELECT *, ROW_NUMBER() OVER (ORDER BY cost DESC, channel) AS place FROM channels
)
SELECT SUM(contacts) AS contacts, SUM(cost) AS cost,
       MAX(CASE WHEN place = 1 THEN name END) AS dearest,
       CAST(SUM(CASE WHEN place = 1 THEN cost END) AS DOUBLE) / CAST(NULLIF(SUM(cost), 0) AS DOUBLE) AS dearest_share,
       CAST(SUM(CASE WHEN place = 1 THEN contacts END) AS DOUBLE) / NULLIF(SUM(contacts), 0)         AS dearest_contacts
FROM placed
