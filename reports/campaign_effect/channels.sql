-- Channels of two years' campaigns, control groups left out; then the total, which is asked for.
WITH figures AS (
  SELECT GROUPING(channel) = 1 AS is_total, channel,
         CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS name,
         SUM(contacts) AS contacts, SUM(responses) AS responses, SUM(conversions) AS conversions, SUM(cost) AS cost,
         SUM(outcome) AS outcome, MEASURE(response_rate) AS response_rate
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_group = 'treatment'
  GROUP BY GROUPING SETS ((channel, channel_name, channel_name_en), ())
)
SELECT is_total, CASE WHEN NOT is_total THEN name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       contacts, responses, response_rate, conversions, CAST(conversions AS DOUBLE) / NULLIF(contacts, 0) AS conversion_rate,
       cost, CAST(cost AS DOUBLE) / NULLIF(contacts, 0) AS cost_per_contact,
       CAST(cost AS DOUBLE) / NULLIF(conversions, 0) AS cost_per_conversion,
       outcome, CAST(outcome AS DOUBLE) / NULLIF(conversions, 0) AS outcome_per_conversion
FROM figures
WHERE contacts > 0
ORDER BY is_total, contacts DESC, channel
