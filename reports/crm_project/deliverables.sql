-- Deliverables of the page's project.
WITH chosen AS (
  SELECT project
  FROM evaluation.project
  WHERE organisation = $scope AND ($project = 'newest' OR project = $project)
  ORDER BY CASE WHEN status = 'running' THEN 0 ELSE 1 END, recorded_at DESC, project
  LIMIT 1
)
SELECT CASE WHEN $lang = 'en' THEN coalesce(f.name_en, f.phase) ELSE coalesce(f.name, f.phase) END AS phase,
       CASE WHEN $lang = 'en' THEN coalesce(d.name_en, d.deliverable) ELSE coalesce(d.name, d.deliverable) END AS name,
       CASE WHEN d.is_done THEN CASE WHEN $lang = 'en' THEN 'done' ELSE '已交付' END
            ELSE                CASE WHEN $lang = 'en' THEN 'open' ELSE '未交付' END END AS status,
       d.evidence
FROM evaluation.project_deliverable d
JOIN chosen c ON c.project = d.project
JOIN evaluation.project_phase f ON f.project = d.project AND f.phase = d.phase
ORDER BY f.position, d.deliverable
