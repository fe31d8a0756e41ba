-- Issues with their actions.
WITH actions AS (
  SELECT issue, COUNT(*) AS actions, COUNT(CASE WHEN status = 'verified' THEN 1 END) AS verified
  FROM evaluation.action
  GROUP BY issue
)
SELECT CASE WHEN o.organisation = 'head_office' THEN CASE WHEN $lang = 'en' THEN 'Head office' ELSE '总行' END
            WHEN $lang = 'en' THEN initcap(o.organisation) ELSE coalesce(o.name, o.organisation) END AS unit,
       i.organisation, i.title, CASE WHEN $lang = 'en' THEN k.name_en ELSE k.name END AS kpi,
       CASE WHEN $lang = 'en' THEN i.cause_name_en ELSE i.cause_name END AS cause, i.path, i.explained_share AS explained,
       i.department, coalesce(a.actions, 0) AS actions, coalesce(a.verified, 0) AS verified,
       CASE WHEN i.status = 'open' THEN CASE WHEN $lang = 'en' THEN 'open'   ELSE '未关闭' END
            ELSE                        CASE WHEN $lang = 'en' THEN 'closed' ELSE '已关闭' END END AS status
FROM evaluation.issue i
JOIN evaluation.organisation o ON o.organisation = i.organisation
LEFT JOIN evaluation.kpi k ON k.kpi = i.kpi
LEFT JOIN actions a ON a.issue = i.issue
WHERE $scope = 'head_office' OR i.organisation = $scope
ORDER BY o.position, i.issue
