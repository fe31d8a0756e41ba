-- Phases of the page's project, then the whole.
WITH chosen AS (
  SELECT project
  FROM evaluation.project
  WHERE organisation = $scope AND ($project = 'newest' OR project = $project)
  ORDER BY CASE WHEN status = 'running' THEN 0 ELSE 1 END, recorded_at DESC, project
  LIMIT 1
), lines AS (
  SELECT f.position, FALSE AS is_total,
         CASE WHEN $lang = 'en' THEN coalesce(f.name_en, f.phase) ELSE coalesce(f.name, f.phase) END AS name,
         concat(coalesce(CAST(f.planned_start AS VARCHAR), '–'), ' – ', coalesce(CAST(f.planned_end AS VARCHAR), '–')) AS planned,
         concat(coalesce(CAST(f.actual_start AS VARCHAR), '–'), ' – ', coalesce(CAST(f.actual_end AS VARCHAR), '–')) AS actual,
         f.complete, f.planned_value, f.earned_value, f.actual_cost, f.spi, f.cpi
  FROM evaluation.project_phase f
  JOIN chosen c ON c.project = f.project
  UNION ALL
  SELECT 1000, TRUE, CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END, '', '', p.complete, p.planned_value, p.earned_value,
         p.actual_cost, p.spi, p.cpi
  FROM evaluation.project p
  JOIN chosen c ON c.project = p.project
)
SELECT is_total, name, planned, actual, complete, planned_value, earned_value, actual_cost, spi, cpi
FROM lines
ORDER BY position
