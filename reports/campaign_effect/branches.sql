-- Branches by contacts in two years' campaigns, then the whole, which is asked for and not added up. Whether a share of
-- responses differs from the whole's, and the treated from the control group, is judged at 99%, because many branches are
-- compared. Where one branch only is to be
-- seen, its offices stand in place of branches.
WITH treated AS (
  SELECT GROUPING(branch_code) = 0 AS is_branch, GROUPING(org_id) = 0 AS is_office,
         coalesce(branch_code, org_id, '') AS unit, branch_code,
         CASE WHEN $lang = 'en' THEN coalesce(branch_name_en, org_name_en) ELSE coalesce(branch, outlet) END AS name,
         SUM(contacts) AS contacts, SUM(responses) AS responses, SUM(conversions) AS conversions, SUM(selected) AS n,
         SUM(cost) AS cost, SUM(outcome) AS outcome
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_group = 'treatment'
  GROUP BY GROUPING SETS ((branch_code, branch, branch_name_en), (org_id, outlet, org_name_en), ())
), tested AS (
  SELECT coalesce(branch_code, org_id, '') AS unit, campaign_group, CAST(SUM(selected) AS DOUBLE) AS n,
         CAST(SUM(conversions) AS DOUBLE) AS conversions
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_design = 'randomised'
  GROUP BY GROUPING SETS ((branch_code, campaign_group), (org_id, campaign_group), (campaign_group))
), level AS (
  SELECT COUNT(*) > 1 AS whole FROM treated WHERE is_branch
), units AS (
  SELECT t.*, NOT t.is_branch AND NOT t.is_office AS is_total
  FROM treated t CROSS JOIN level l
  WHERE CASE WHEN t.is_branch THEN l.whole WHEN t.is_office THEN NOT l.whole ELSE TRUE END
), rates AS (
  SELECT u.*, CAST(u.responses AS DOUBLE) / NULLIF(u.contacts, 0) AS response_rate,
         CAST(w.responses AS DOUBLE) / NULLIF(w.contacts, 0)      AS whole_rate,
         a.conversions / a.n AS rate, c.conversions / c.n AS rate_control, a.n + 2 AS m, c.n + 2 AS m_control,
         (a.conversions + 1) / (a.n + 2) AS p, (c.conversions + 1) / (c.n + 2) AS p_control
  FROM units u
  CROSS JOIN (SELECT responses, contacts FROM treated WHERE unit = '') AS w
  LEFT JOIN tested a ON a.unit = u.unit AND a.campaign_group = 'treatment'
  LEFT JOIN tested c ON c.unit = u.unit AND c.campaign_group = 'control'
), judged AS (
  SELECT *, (response_rate - whole_rate) / NULLIF(sqrt(whole_rate * (1 - whole_rate) / NULLIF(contacts, 0)), 0) AS distance,
         2.576 * sqrt(p * (1 - p) / m + p_control * (1 - p_control) / m_control) AS margin
  FROM rates
)
SELECT is_total, CASE WHEN NOT is_total THEN RANK() OVER (PARTITION BY is_total ORDER BY contacts DESC) END AS place,
       branch_code,
       CASE WHEN NOT is_total THEN name WHEN $lang = 'en' THEN 'Total' ELSE '合计' END AS name,
       contacts, response_rate,
       CASE WHEN is_total THEN NULL
            WHEN distance > 2.576  THEN CASE WHEN $lang = 'en' THEN 'Above' ELSE '高于' END
            WHEN distance < -2.576 THEN CASE WHEN $lang = 'en' THEN 'Below' ELSE '低于' END
            ELSE CASE WHEN $lang = 'en' THEN 'Alike' ELSE '无显著差异' END END AS against_whole,
       conversions, CAST(conversions AS DOUBLE) / NULLIF(n, 0) AS conversion_rate, rate, rate_control,
       CASE WHEN margin IS NULL THEN NULL
            WHEN p - p_control - margin > 0 THEN CASE WHEN $lang = 'en' THEN 'Higher' ELSE '更高' END
            WHEN p - p_control + margin < 0 THEN CASE WHEN $lang = 'en' THEN 'Lower' ELSE '更低' END
            ELSE CASE WHEN $lang = 'en' THEN 'Not proven' ELSE '不显著' END END AS verdict,
       cost, outcome
FROM judged
ORDER BY is_total, place, unit
