-- The project of the page: that of the parameter, else the newest running one of the page's organisation. One row.
WITH seen AS (
  SELECT p.*, ROW_NUMBER() OVER (ORDER BY CASE WHEN p.status = 'running' THEN 0 ELSE 1 END, p.recorded_at DESC, p.project) AS place
  FROM evaluation.project p
  WHERE p.organisation = $scope AND ($project = 'newest' OR p.project = $project)
), one AS (
  SELECT COUNT(*) AS found, MAX(project) AS project, MAX(name) AS name, MAX(status) AS status, MAX(spi) AS spi, MAX(cpi) AS cpi,
         MAX(complete) AS complete, MAX(estimate_at_completion) AS estimate_at_completion, MAX(planned_cost) AS planned_cost,
         MAX(readiness) AS readiness
  FROM seen
  WHERE place = 1
), gates AS (
  SELECT COUNT(*) AS gates, COUNT(CASE WHEN g.decision IN ('go', 'conditional') THEN 1 END) AS gates_passed
  FROM evaluation.project_gate g
  JOIN one o ON o.project = g.project
)
SELECT coalesce(o.name, CASE WHEN $lang = 'en' THEN 'No project' ELSE '暂无项目' END) AS name, o.spi, o.cpi, o.complete,
       o.estimate_at_completion, o.planned_cost, o.readiness, g.gates_passed,
       CASE WHEN o.found = 0 AND $lang = 'en' THEN 'There is no project of this organisation.'
            WHEN o.found = 0 THEN '该机构没有项目。'
            WHEN $lang = 'en' THEN concat(o.name, ': ', CAST(CAST(coalesce(o.complete, 0) * 100 AS DECIMAL(5, 0)) AS VARCHAR),
                                          '% complete, SPI ', coalesce(CAST(CAST(o.spi AS DECIMAL(9, 2)) AS VARCHAR), '–'),
                                          ', CPI ', coalesce(CAST(CAST(o.cpi AS DECIMAL(9, 2)) AS VARCHAR), '–'), '; ',
                                          CAST(g.gates_passed AS VARCHAR), ' of ', CAST(g.gates AS VARCHAR), ' gates passed')
            ELSE concat(o.name, '：完成 ', CAST(CAST(coalesce(o.complete, 0) * 100 AS DECIMAL(5, 0)) AS VARCHAR), '%，SPI ',
                        coalesce(CAST(CAST(o.spi AS DECIMAL(9, 2)) AS VARCHAR), '–'), '，CPI ',
                        coalesce(CAST(CAST(o.cpi AS DECIMAL(9, 2)) AS VARCHAR), '–'), '；', CAST(g.gates AS VARCHAR),
                        ' 个关口已通过 ', CAST(g.gates_passed AS VARCHAR), ' 个') END AS words
FROM one o CROSS JOIN gates g
