-- Each campaign of two years beside its control group, then all, which are asked for. The interval is that of the difference
-- of two shares at 95% after Agresti and Caffo: one success and one failure more in each group, which holds for small ones
-- too. Without a control group there is nothing to compare with.
WITH groups AS (
  SELECT coalesce(campaign, '') AS campaign, GROUPING(campaign) = 1 AS is_total,
         CASE WHEN $lang = 'en' THEN campaign_name_en ELSE campaign_name END AS name, campaign_design AS design,
         CASE WHEN $lang = 'en' THEN channel_name_en ELSE channel_name END AS channel_name, campaign_group,
         SUM(selected) AS n, SUM(contacts) AS contacts, SUM(responses) AS responses, SUM(conversions) AS conversions,
         SUM(cost) AS cost, SUM(outcome) AS outcome, MIN(month) AS month
  FROM (SELECT campaign, campaign_name, campaign_name_en, campaign_design, channel_name, channel_name_en, campaign_group,
               month,
               SUM(selected) AS selected, SUM(contacts) AS contacts, SUM(responses) AS responses,
               SUM(conversions) AS conversions, SUM(cost) AS cost, SUM(outcome) AS outcome
        FROM campaigns
        WHERE month BETWEEN $trend_from AND $month
        GROUP BY campaign, campaign_name, campaign_name_en, campaign_design, channel_name, channel_name_en,
            campaign_group, month)
  GROUP BY GROUPING SETS ((campaign, campaign_name, campaign_name_en, campaign_design, channel_name, channel_name_en,
                           campaign_group), (campaign_group))
), arms AS (
  SELECT campaign, is_total, name, design, channel_name, MIN(month) AS month,
         MAX(CASE WHEN campaign_group = 'treatment' THEN contacts END)                     AS contacts,
         MAX(CASE WHEN campaign_group = 'treatment' THEN responses END)                    AS responses,
         CAST(MAX(CASE WHEN campaign_group = 'treatment' THEN n END) AS DOUBLE)            AS n,
         CAST(MAX(CASE WHEN campaign_group = 'treatment' THEN conversions END) AS DOUBLE)  AS conversions,
         CAST(MAX(CASE WHEN campaign_group = 'control' THEN n END) AS DOUBLE)              AS n_control,
         CAST(MAX(CASE WHEN campaign_group = 'control' THEN conversions END) AS DOUBLE)    AS conversions_control,
         MAX(CASE WHEN campaign_group = 'treatment' THEN cost END)                         AS cost,
         CAST(MAX(CASE WHEN campaign_group = 'treatment' THEN outcome END) AS DOUBLE)      AS outcome,
         CAST(MAX(CASE WHEN campaign_group = 'control' THEN outcome END) AS DOUBLE)        AS outcome_control
  FROM groups
  GROUP BY campaign, is_total, name, design, channel_name
), rates AS (
  SELECT *, conversions / n AS rate, CASE WHEN design = 'randomised' THEN conversions_control / n_control END AS rate_control
  FROM arms
), adjusted AS (
  SELECT *, rate - rate_control AS uplift, (conversions + 1) / (n + 2) AS p,
         CASE WHEN rate_control IS NOT NULL THEN (conversions_control + 1) / (n_control + 2) END AS p_control
  FROM rates
), tests AS (
  SELECT *, p - p_control AS middle, 1.96 * sqrt(p * (1 - p) / (n + 2) + p_control * (1 - p_control) / (n_control + 2)) AS margin
  FROM adjusted
)
SELECT is_total,
       CASE WHEN NOT is_total THEN name WHEN $lang = 'en' THEN 'All' ELSE '合计' END AS name,
       CASE WHEN NOT is_total THEN to_char(month, '%Y-%m') END AS month,
       channel_name, contacts,
       CAST(responses AS DOUBLE) / NULLIF(contacts, 0) AS response_rate, rate, rate_control, uplift,
       middle - margin AS uplift_from, middle + margin AS uplift_to,
       CASE WHEN is_total THEN NULL
            WHEN uplift IS NULL AND $lang = 'en' THEN 'No control' WHEN uplift IS NULL THEN '无对照组'
            WHEN middle - margin > 0 AND $lang = 'en' THEN 'Works' WHEN middle - margin > 0 THEN '提升显著'
            WHEN middle + margin < 0 AND $lang = 'en' THEN 'Harms' WHEN middle + margin < 0 THEN '下降显著'
            WHEN $lang = 'en' THEN 'Not proven' ELSE '不显著' END AS verdict,
       CAST(round(uplift * n) AS BIGINT) AS added, cost,
       CAST(cost AS DOUBLE) / NULLIF(conversions, 0) AS cost_per_conversion,
       CASE WHEN middle - margin > 0 THEN CAST(cost AS DOUBLE) / (uplift * n) END AS cost_per_added,
       outcome, CASE WHEN uplift IS NOT NULL THEN outcome - outcome_control / n_control * n END AS added_outcome
FROM tests
ORDER BY is_total, month DESC, campaign
