-- Kinds of contact of the year so far with waits and resolution, changes on the same months of the year before; then the
-- total.
WITH now AS (
  SELECT GROUPING(interaction_type) = 1 AS is_total, coalesce(interaction_type, '') AS kind,
         coalesce(channel, '') AS channel,
         CASE WHEN $lang = 'en' THEN concat(interaction_type_name_en, ', ', channel_name_en)
              ELSE concat(interaction_type_name, '（', channel_name, '）') END AS name,
         SUM(contacts) AS contacts, MEASURE(average_duration) AS duration, MEASURE(average_wait) AS wait,
         MEASURE(abandoned_rate) AS abandoned, MEASURE(first_contact_resolution) AS resolved,
         MEASURE(longest_wait) AS longest_wait
  FROM service
  WHERE month BETWEEN $year_from AND $month
  GROUP BY GROUPING SETS ((interaction_type, interaction_type_name, interaction_type_name_en, channel, channel_name,
      channel_name_en), ())
), before AS (
  SELECT coalesce(interaction_type, '') AS kind, coalesce(channel, '') AS channel, SUM(contacts) AS contacts,
         MEASURE(first_contact_resolution) AS resolved
  FROM service
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY GROUPING SETS ((interaction_type, channel), ())
)
SELECT n.is_total, CASE WHEN NOT n.is_total THEN n.name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       n.contacts, CAST(n.contacts AS DOUBLE) / NULLIF(w.contacts, 0) AS share, n.contacts - b.contacts AS contacts_change,
       n.duration / 60 AS minutes, n.wait, n.longest_wait, n.abandoned,
       n.resolved, CAST(n.resolved AS DOUBLE) - CAST(b.resolved AS DOUBLE) AS resolved_change
FROM now n
CROSS JOIN (SELECT contacts FROM now WHERE is_total) AS w
LEFT JOIN before b ON b.kind = n.kind AND b.channel = n.channel
WHERE n.contacts > 0
ORDER BY n.is_total, n.contacts DESC, n.kind, n.channel
