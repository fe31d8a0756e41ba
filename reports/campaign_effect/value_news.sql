-- How many randomised campaigns changed the contribution of their customers beyond chance; computed as in value.sql. One
-- row.
WITH persons AS (
  SELECT campaign, CASE WHEN $lang = 'en' THEN campaign_name_en ELSE campaign_name END AS name, campaign_group, customer_id,
         MIN(month) AS month
  FROM (SELECT campaign, campaign_name, campaign_name_en, campaign_group, customer_id, month, SUM(selected) AS selected
        FROM campaigns
        WHERE month BETWEEN $trend_from AND $month AND campaign_design = 'randomised'
        GROUP BY campaign, campaign_name, campaign_name_en, campaign_group, customer_id, month)
  GROUP BY campaign, campaign_name, campaign_name_en, campaign_group, customer_id
), earnings AS (
  SELECT customer_id, month, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $trend_from AND $month
  GROUP BY customer_id, month
), spans AS (
  SELECT c.campaign, COUNT(CASE WHEN m.month < c.month THEN 1 END) AS before,
         COUNT(CASE WHEN m.month > c.month THEN 1 END) AS after
  FROM (SELECT campaign, MIN(month) AS month FROM persons GROUP BY campaign) AS c
  JOIN (SELECT month FROM earnings GROUP BY month) AS m
    ON m.month BETWEEN c.month - INTERVAL '12 months' AND c.month + INTERVAL '12 months'
  GROUP BY c.campaign
), sums AS (
  SELECT p.campaign, p.name, p.campaign_group, p.customer_id,
         CAST(coalesce(SUM(CASE WHEN e.month < p.month THEN e.contribution END), 0) AS DOUBLE) AS before,
         CAST(coalesce(SUM(CASE WHEN e.month > p.month THEN e.contribution END), 0) AS DOUBLE) AS after
  FROM persons p
  LEFT JOIN earnings e ON e.customer_id = p.customer_id
                      AND e.month BETWEEN p.month - INTERVAL '12 months' AND p.month + INTERVAL '12 months'
  GROUP BY p.campaign, p.name, p.campaign_group, p.customer_id
), arms AS (
  SELECT s.campaign, s.name, s.campaign_group, COUNT(*) AS n, AVG(s.before / t.before) AS before,
         AVG(s.after / t.after) AS after,
         AVG(s.after / t.after - s.before / t.before) AS change,
         stddev(s.after / t.after - s.before / t.before) AS spread, MAX(t.before) AS months_before,
         MAX(t.after) AS months_after
  FROM sums s
  JOIN spans t ON t.campaign = s.campaign
  WHERE t.before > 0 AND t.after > 0
  GROUP BY s.campaign, s.name, s.campaign_group
), pairs AS (
  SELECT t.campaign, t.name, t.months_before, t.months_after, t.n, c.n AS n_control, t.before, c.before AS before_control,
         t.after, c.after AS after_control, t.change, c.change AS change_control, t.change - c.change AS difference,
         1.96 * sqrt(t.spread * t.spread / t.n + c.spread * c.spread / c.n) AS margin
  FROM arms t
  JOIN arms c ON c.campaign = t.campaign AND c.campaign_group = 'control'
  WHERE t.campaign_group = 'treatment'
)
SELECT COUNT(*) AS tests, COUNT(CASE WHEN difference - margin > 0 THEN 1 END) AS gained,
       COUNT(CASE WHEN difference + margin < 0 THEN 1 END) AS lost
FROM pairs
