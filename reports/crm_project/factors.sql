-- The checklist of the page's project.
WITH chosen AS (
  SELECT project
  FROM evaluation.project
  WHERE organisation = $scope AND ($project = 'newest' OR project = $project)
  ORDER BY CASE WHEN status = 'running' THEN 0 ELSE 1 END, recorded_at DESC, project
  LIMIT 1
)
SELECT CASE WHEN $lang = 'en' THEN f.name_en ELSE f.name END AS name,
       CASE WHEN f.kind = 'condition' THEN CASE WHEN $lang = 'en' THEN 'condition'     ELSE '条件' END
            ELSE                           CASE WHEN $lang = 'en' THEN 'known problem' ELSE '已知问题' END END AS kind,
       CASE f.standing WHEN 'source'   THEN CASE WHEN $lang = 'en' THEN 'source documents' ELSE '源文档' END
                       WHEN 'composed' THEN CASE WHEN $lang = 'en' THEN 'composed'         ELSE '本产品编写' END
                       ELSE f.standing END AS standing,
       f.score
FROM evaluation.project_factor f
JOIN chosen c ON c.project = f.project
ORDER BY f.position
