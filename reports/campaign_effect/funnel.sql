-- Customers of two years' campaigns, control groups left out: how many came through each stage and all before it.
WITH persons AS (
  SELECT campaign, customer_id, attempt_no, SUM(contacts) AS contacts, SUM(responses) AS responses,
         SUM(conversions) AS conversions
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_group = 'treatment'
  GROUP BY campaign, customer_id, attempt_no
), stages AS (
  SELECT 1 AS place, COUNT(*) AS cases FROM persons
  UNION ALL SELECT 2, COUNT(*) FROM persons WHERE contacts > 0
  UNION ALL SELECT 3, COUNT(*) FROM persons WHERE contacts > 0 AND responses > 0
  UNION ALL SELECT 4, COUNT(*) FROM persons WHERE contacts > 0 AND responses > 0 AND conversions > 0
)
SELECT CASE place WHEN 1 THEN CASE WHEN $lang = 'en' THEN 'Chosen'    ELSE '入选' END
                  WHEN 2 THEN CASE WHEN $lang = 'en' THEN 'Contacted' ELSE '接触' END
                  WHEN 3 THEN CASE WHEN $lang = 'en' THEN 'Responded' ELSE '响应' END
                  ELSE        CASE WHEN $lang = 'en' THEN 'Converted' ELSE '转化' END END AS stage,
       cases
FROM stages
WHERE EXISTS (SELECT 1 FROM persons)
ORDER BY place
