-- Gates of the page's project and what they came to.
WITH chosen AS (
  SELECT project
  FROM evaluation.project
  WHERE organisation = $scope AND ($project = 'newest' OR project = $project)
  ORDER BY CASE WHEN status = 'running' THEN 0 ELSE 1 END, recorded_at DESC, project
  LIMIT 1
)
SELECT CASE WHEN $lang = 'en' THEN coalesce(f.name_en, f.phase) ELSE coalesce(f.name, f.phase) END AS phase,
       CASE WHEN $lang = 'en' THEN coalesce(g.name_en, g.gate) ELSE coalesce(g.name, g.gate) END AS name,
       CASE WHEN $lang = 'en' THEN g.requires_en ELSE g.requires END AS requires,
       CASE g.decision WHEN 'go'          THEN CASE WHEN $lang = 'en' THEN 'go'          ELSE '通过' END
                       WHEN 'conditional' THEN CASE WHEN $lang = 'en' THEN 'conditional' ELSE '有条件通过' END
                       WHEN 'stop'        THEN CASE WHEN $lang = 'en' THEN 'stop'        ELSE '终止' END
                       ELSE CASE WHEN $lang = 'en' THEN 'not decided' ELSE '未决策' END END AS decision,
       g.decided_by, CAST(g.decided_at AS DATE) AS decided_on, g.note
FROM evaluation.project_gate g
JOIN chosen c ON c.project = g.project
JOIN evaluation.project_phase f ON f.project = g.project AND f.phase = g.phase
ORDER BY f.position
