-- Customers in the care of campaigns this year so far beside the same months of the year before. One row.
WITH years AS (
  SELECT month >= $year_from AS is_now, SUM(contacts) AS contacts, SUM(responses) AS responses,
         SUM(conversions) AS conversions, SUM(cost) AS cost, SUM(outcome) AS outcome
  FROM campaigns
  WHERE campaign_group = 'treatment'
    AND (month BETWEEN $year_from AND $month OR month BETWEEN $prior_year_from AND $prior_year)
  GROUP BY month >= $year_from
), figures AS (
  SELECT is_now, contacts, conversions, cost, outcome,
         CAST(responses AS DOUBLE) / NULLIF(contacts, 0)    AS response_rate,
         CAST(conversions AS DOUBLE) / NULLIF(contacts, 0)  AS conversion_rate,
         CAST(cost AS DOUBLE) / NULLIF(conversions, 0)      AS cost_per_conversion
  FROM years
)
SELECT coalesce(MAX(CASE WHEN is_now THEN contacts END), 0)   AS contacts,
       MAX(CASE WHEN NOT is_now THEN contacts END)            AS contacts_prior_year,
       MAX(CASE WHEN is_now THEN response_rate END)           AS response_rate,
       MAX(CASE WHEN NOT is_now THEN response_rate END)       AS response_rate_prior_year,
       MAX(CASE WHEN is_now THEN conversion_rate END)         AS conversion_rate,
       MAX(CASE WHEN NOT is_now THEN conversion_rate END)     AS conversion_rate_prior_year,
       coalesce(MAX(CASE WHEN is_now THEN cost END), 0)       AS cost,
       MAX(CASE WHEN NOT is_now THEN cost END)                AS cost_prior_year,
       MAX(CASE WHEN is_now THEN cost_per_conversion END)     AS cost_per_conversion,
       MAX(CASE WHEN NOT is_now THEN cost_per_conversion END) AS cost_per_conversion_prior_year,
       coalesce(MAX(CASE WHEN is_now THEN outcome END), 0)    AS outcome,
       MAX(CASE WHEN NOT is_now THEN outcome END)             AS outcome_prior_year
FROM figures
