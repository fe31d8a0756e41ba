-- Projects that the reader sees.
SELECT p.project, p.name,
       CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS unit,
       coalesce(CASE WHEN $lang = 'en' THEN t.name_en ELSE t.name END, p.template) AS template,
       CASE t.standing WHEN 'source'    THEN CASE WHEN $lang = 'en' THEN 'source documents' ELSE '源文档' END
                       WHEN 'published' THEN CASE WHEN $lang = 'en' THEN 'published'        ELSE '已发表' END
                       WHEN 'common'    THEN CASE WHEN $lang = 'en' THEN 'common'           ELSE '业内通行' END
                       WHEN 'composed'  THEN CASE WHEN $lang = 'en' THEN 'composed'         ELSE '本产品编写' END
                       ELSE CASE WHEN $lang = 'en' THEN 'the bank''s own' ELSE '本行自定' END END AS standing,
       CASE p.status WHEN 'running'  THEN CASE WHEN $lang = 'en' THEN 'running'  ELSE '进行中' END
                     WHEN 'finished' THEN CASE WHEN $lang = 'en' THEN 'finished' ELSE '已完成' END
                     ELSE                 CASE WHEN $lang = 'en' THEN 'stopped'  ELSE '已终止' END END AS status,
       p.as_of, p.spi, p.cpi, p.complete, p.planned_cost, p.actual_cost, p.readiness
FROM evaluation.project p
JOIN evaluation.organisation o ON o.organisation = p.organisation
LEFT JOIN evaluation.template t ON t.template = p.template
WHERE $scope = 'head_office' OR p.organisation = $scope
ORDER BY o.position, p.project
