-- Yearly targets of what adds up against the months so far and the time that has passed.
SELECT CASE WHEN $lang = 'en' THEN k.name_en ELSE k.name END AS name, p.actual, p.target, p.completion, p.elapsed, p.gap,
       CASE p.pace WHEN 'ahead'  THEN CASE WHEN $lang = 'en' THEN 'ahead of time'  ELSE '超序时进度' END
                   WHEN 'level'  THEN CASE WHEN $lang = 'en' THEN 'level with time' ELSE '与序时进度持平' END
                   WHEN 'behind' THEN CASE WHEN $lang = 'en' THEN 'behind time'    ELSE '落后序时进度' END
                   ELSE CASE WHEN $lang = 'en' THEN 'a month is missing' ELSE '缺少月份数据' END END AS pace
FROM evaluation.kpi_progress p
JOIN evaluation.kpi k ON k.kpi = p.kpi
WHERE p.organisation = $scope AND p.through BETWEEN $year_from AND $as_of
ORDER BY k.position
