-- Response by age of the customer and campaign. Cells of fewer than 20 contacts are left out: their share says nothing.
WITH figures AS (
  SELECT campaign, CASE WHEN $lang = 'en' THEN campaign_name_en ELSE campaign_name END AS name, age_band,
         SUM(contacts) AS contacts, MEASURE(response_rate) AS response_rate
  FROM campaigns
  WHERE month BETWEEN $trend_from AND $month AND campaign_group = 'treatment' AND age_band IS NOT NULL
  GROUP BY campaign, campaign_name, campaign_name_en, age_band
)
SELECT name, replace(age_band, '-', '–') AS age_band,
       CASE WHEN contacts >= 20 THEN response_rate END AS response_rate
FROM figures
ORDER BY age_band, campaign
