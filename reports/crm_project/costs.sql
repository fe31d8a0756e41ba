-- Planned and actual cost of each phase of the page's project.
WITH chosen AS (
  SELECT project
  FROM evaluation.project
  WHERE organisation = $scope AND ($project = 'newest' OR project = $project)
  ORDER BY CASE WHEN status = 'running' THEN 0 ELSE 1 END, recorded_at DESC, project
  LIMIT 1
)
SELECT CASE WHEN $lang = 'en' THEN coalesce(f.name_en, f.phase) ELSE coalesce(f.name, f.phase) END AS name, f.actual_cost,
       f.planned_cost
FROM evaluation.project_phase f
JOIN chosen c ON c.project = f.project
ORDER BY f.position
