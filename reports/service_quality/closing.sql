-- Days to close of each closed complaint of the year so far, of the nine units with most of them and of all others. Where
-- one branch only is to be seen, its offices stand in place of branches.
WITH cases AS (
  SELECT branch_code, org_id,
         CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch_name,
         CASE WHEN $lang = 'en' THEN org_name_en ELSE outlet END    AS office_name, complaint_id,
         MAX(longest_open_days) AS days
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY branch_code, org_id, branch_name_en, branch, org_name_en, outlet, complaint_id
  HAVING MAX(longest_open_days) IS NOT NULL
), level AS (
  SELECT COUNT(DISTINCT branch_code) > 1 AS whole FROM cases
), named AS (
  SELECT CASE WHEN l.whole THEN branch_code ELSE org_id END AS unit,
         CASE WHEN l.whole THEN branch_name ELSE office_name END AS name,
         l.whole, c.complaint_id, c.days
  FROM cases c CROSS JOIN level l
), units AS (
  SELECT unit, COUNT(*) AS cases, ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, unit) AS place FROM named GROUP BY unit
)
SELECT CASE WHEN u.place <= 9 THEN n.name WHEN $lang = 'en' THEN 'All others' ELSE '其余机构' END AS name,
       CASE WHEN u.place <= 9 AND n.whole THEN n.unit END AS branch_code, n.days
FROM named n
JOIN units u ON u.unit = n.unit
ORDER BY CASE WHEN u.place <= 9 THEN u.place ELSE 10 END, n.days, n.complaint_id
