-- The default scorecard of the page's organisation in the month, a year before, and its weakest factor. One row.
WITH scores AS (
  SELECT s.period_start AS month, s.perspective, s.score, s.covered_weight, s.light
  FROM evaluation.scorecard_score s
  JOIN evaluation.scorecard c ON c.scorecard = s.scorecard
  WHERE c.is_default AND s.organisation = $scope AND s.period_start IN ($month, $prior_year)
), now AS (
  SELECT MAX(score) AS score, MAX(covered_weight) AS covered, MAX(light) AS light
  FROM scores
  WHERE month = $month AND perspective IS NULL
), before AS (
  SELECT MAX(score) AS score FROM scores WHERE month = $prior_year AND perspective IS NULL
), weakest AS (
  SELECT MAX(CASE WHEN $lang = 'en' THEN k.name_en ELSE k.name END) AS name
  FROM (SELECT perspective FROM scores WHERE month = $month AND perspective IS NOT NULL AND score IS NOT NULL
        ORDER BY score, perspective LIMIT 1) AS w
  JOIN (SELECT k.perspective, MAX(k.perspective_name) AS name, MAX(k.perspective_name_en) AS name_en
        FROM evaluation.scorecard_kpi k JOIN evaluation.scorecard c ON c.scorecard = k.scorecard
        WHERE c.is_default GROUP BY k.perspective) AS k ON k.perspective = w.perspective
)
SELECT n.score, b.score AS score_prior_year, coalesce(n.covered, 0) AS covered,
       CASE WHEN n.score IS NULL OR b.score IS NULL THEN ''
            WHEN $lang = 'en' THEN concat(CASE WHEN n.score >= b.score THEN ', up ' ELSE ', down ' END,
                                          CAST(CAST(abs(n.score - b.score) * 100 AS DECIMAL(9, 1)) AS VARCHAR),
                                          ' points on the year')
            ELSE concat(CASE WHEN n.score >= b.score THEN '，较上年同期提高 ' ELSE '，较上年同期下降 ' END,
                        CAST(CAST(abs(n.score - b.score) * 100 AS DECIMAL(9, 1)) AS VARCHAR), ' 个百分点') END AS change_note,
       CASE n.light WHEN 'green'  THEN CASE WHEN $lang = 'en' THEN 'green'  ELSE '绿灯' END
                    WHEN 'yellow' THEN CASE WHEN $lang = 'en' THEN 'yellow' ELSE '黄灯' END
                    WHEN 'red'    THEN CASE WHEN $lang = 'en' THEN 'red'    ELSE '红灯' END
                    ELSE CASE WHEN $lang = 'en' THEN 'no light' ELSE '无灯号' END END AS light,
       coalesce(w.name, CASE WHEN $lang = 'en' THEN 'not known' ELSE '（无数据）' END) AS weakest
FROM now n CROSS JOIN before b CROSS JOIN weakest w
