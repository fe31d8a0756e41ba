-- Risks of the page's project by exposure: probability times impact.
WITH chosen AS (
  SELECT project
  FROM evaluation.project
  WHERE organisation = $scope AND ($project = 'newest' OR project = $project)
  ORDER BY CASE WHEN status = 'running' THEN 0 ELSE 1 END, recorded_at DESC, project
  LIMIT 1
)
SELECT r.name, r.probability, r.impact, r.exposure, r.response, r.owner_role AS owner,
       CASE r.status WHEN 'open'     THEN CASE WHEN $lang = 'en' THEN 'open'     ELSE '存续' END
                     WHEN 'occurred' THEN CASE WHEN $lang = 'en' THEN 'occurred' ELSE '已发生' END
                     ELSE                 CASE WHEN $lang = 'en' THEN 'closed'   ELSE '已消除' END END AS status
FROM evaluation.project_risk r
JOIN chosen c ON c.project = r.project
ORDER BY r.exposure DESC, r.position
