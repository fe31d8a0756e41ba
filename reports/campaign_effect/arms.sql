-- Conversion of treated and control customers, in campaigns whose groups were drawn at random.
WITH arms AS (
  SELECT campaign, CASE WHEN $lang = 'en' THEN campaign_name_en ELSE campaign_name END AS name, campaign_group,
         SUM(selected) AS n, SUM(conversions) AS conversions
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_design = 'randomised'
  GROUP BY campaign, campaign_name, campaign_name_en, campaign_group
)
SELECT name,
       CAST(SUM(conversions) FILTER (WHERE campaign_group = 'treatment') AS DOUBLE)
         / SUM(n) FILTER (WHERE campaign_group = 'treatment') AS treated,
       CAST(SUM(conversions) FILTER (WHERE campaign_group = 'control') AS DOUBLE)
         / SUM(n) FILTER (WHERE campaign_group = 'control')   AS control
FROM arms
GROUP BY campaign, name
ORDER BY campaign
