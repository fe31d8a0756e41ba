-- Contacts by channel with their cost at unit prices, the year so far and the same months a year before; then the total.
WITH now AS (
  SELECT GROUPING(channel) = 1 AS is_total, channel,
         CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         SUM(contacts) AS contacts, SUM(cost) AS cost, MEASURE(first_contact_resolution) AS resolved
  FROM service
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((channel, channel_name, channel_name_en), ())
), before AS (
  SELECT channel, SUM(contacts) AS contacts, SUM(cost) AS cost
  FROM service
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((channel), ())
), whole AS (
  SELECT contacts, cost FROM now WHERE is_total
)
SELECT n.is_total,
       CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       n.contacts, CAST(n.contacts AS DOUBLE) / NULLIF(w.contacts, 0) AS share, n.contacts - b.contacts AS contacts_change,
       n.cost, CAST(n.cost AS DOUBLE) / CAST(NULLIF(w.cost, 0) AS DOUBLE) AS cost_share, n.cost - b.cost AS cost_change,
       CAST(n.cost AS DOUBLE) / NULLIF(n.contacts, 0) AS per_contact, n.resolved
FROM now n
CROSS JOIN whole w
LEFT JOIN before b ON coalesce(b.channel, '') = coalesce(n.channel, '')
ORDER BY n.is_total, n.cost DESC, n.channel
