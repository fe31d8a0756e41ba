-- Campaigns of two years: how many have a control group, and what the comparison with it says. A difference counts as proven
-- where its 95% interval does not contain zero. One row.
WITH arms AS (
  SELECT campaign, CASE WHEN $lang = 'en' THEN campaign_name_en ELSE campaign_name END AS name, campaign_design AS design,
         MAX(month) AS month, SUM(contacts) AS contacts, SUM(responses) AS responses,
         CAST(SUM(selected) FILTER (WHERE campaign_group = 'treatment') AS DOUBLE)                 AS n,
         CAST(SUM(conversions) FILTER (WHERE campaign_group = 'treatment') AS DOUBLE)              AS conversions,
         NULLIF(CAST(SUM(selected) FILTER (WHERE campaign_group = 'control') AS DOUBLE), 0)        AS n_control,
         CAST(SUM(conversions) FILTER (WHERE campaign_group = 'control') AS DOUBLE)                AS conversions_control
  FROM (SELECT campaign, campaign_name, campaign_name_en, campaign_design, campaign_group, month, SUM(selected) AS selected,
               SUM(contacts) AS contacts, SUM(responses) AS responses, SUM(conversions) AS conversions
        FROM campaigns
        WHERE month BETWEEN $trend_from AND $month
        GROUP BY campaign, campaign_name, campaign_name_en, campaign_design, campaign_group, month) AS months
  GROUP BY campaign, campaign_name, campaign_name_en, campaign_design
), rates AS (
  SELECT *, conversions / NULLIF(n, 0) AS rate, conversions_control / n_control AS rate_control,
         design = 'randomised' AND n > 0 AND n_control > 0 AS is_test
  FROM arms
), adjusted AS (
  SELECT *, rate - rate_control AS uplift, (conversions + 1) / (n + 2) AS p,
         CASE WHEN rate_control IS NOT NULL THEN (conversions_control + 1) / (n_control + 2) END AS p_control
  FROM rates
), tests AS (
  SELECT *, p - p_control AS middle, 1.96 * sqrt(p * (1 - p) / (n + 2) + p_control * (1 - p_control) / (n_control + 2)) AS margin
  FROM adjusted
), placed AS (
  SELECT *, ROW_NUMBER() OVER (ORDER BY CASE WHEN is_test THEN uplift END DESC NULLS LAST, campaign) AS place
  FROM tests
)
SELECT COUNT(*)                                                            AS campaigns,
       coalesce(SUM(contacts), 0)                                          AS contacts,
       CAST(coalesce(SUM(conversions), 0) AS BIGINT)                       AS conversions,
       SUM(conversions) / NULLIF(SUM(contacts), 0)                         AS conversion_rate,
       COUNT(CASE WHEN is_test THEN 1 END)                                 AS tests,
       COUNT(CASE WHEN is_test AND middle - margin > 0 THEN 1 END)         AS proven,
       COUNT(CASE WHEN month >= $year_from THEN 1 END)                     AS this_year,
       COUNT(CASE WHEN month >= $year_from AND NOT is_test THEN 1 END)     AS untested_this_year,
       MAX(CASE WHEN place = 1 AND is_test THEN name END)                  AS best,
       MAX(CASE WHEN place = 1 AND is_test THEN uplift END)                AS best_uplift,
       MAX(CASE WHEN place = 1 AND is_test THEN middle - margin END)       AS best_from,
       MAX(CASE WHEN place = 1 AND is_test THEN middle + margin END)       AS best_to,
       CASE WHEN COUNT(CASE WHEN place = 1 AND is_test THEN 1 END) = 0 THEN ''
            WHEN MAX(CASE WHEN place = 1 AND is_test THEN middle - margin END) > 0
              OR MAX(CASE WHEN place = 1 AND is_test THEN middle + margin END) < 0
            THEN CASE WHEN $lang = 'en' THEN ' (proven)' ELSE '（显著）' END
            ELSE CASE WHEN $lang = 'en' THEN ' (not proven)' ELSE '（不显著）' END END AS best_note,
       MAX(CASE WHEN place = 1 AND is_test THEN rate END)                  AS best_rate,
       MAX(CASE WHEN place = 1 AND is_test THEN rate_control END)          AS best_rate_control,
       MAX(CASE WHEN place = 1 AND is_test THEN round(uplift * n) END)     AS best_added
FROM placed
