-- Employees with most complaints about them in the year so far, three or more, by number; share of their branch's
-- complaints.
WITH now AS (
  SELECT branch_code, CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch_name, employee_id, employee_role,
         SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY branch_code, branch, branch_name_en, employee_id, employee_role
), before AS (
  SELECT branch_code, employee_id, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY branch_code, employee_id
), branches AS (
  SELECT branch_code, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY branch_code
)
SELECT n.employee_id,
       CASE n.employee_role WHEN 'manager'          THEN CASE WHEN $lang = 'en' THEN 'Manager'          ELSE '机构负责人' END
                            WHEN 'customer_manager' THEN CASE WHEN $lang = 'en' THEN 'Customer manager' ELSE '客户经理' END
                            WHEN 'teller'           THEN CASE WHEN $lang = 'en' THEN 'Teller'           ELSE '柜员' END
                            ELSE CASE WHEN $lang = 'en' THEN 'Call operator' ELSE '话务员' END END AS role_name,
       n.branch_name, n.complaints, coalesce(b.complaints, 0) AS complaints_prior_year,
       CAST(n.complaints AS DOUBLE) / w.complaints AS branch_share, n.in_time
FROM now n
JOIN branches w ON w.branch_code = n.branch_code
LEFT JOIN before b ON b.branch_code = n.branch_code AND b.employee_id = n.employee_id
WHERE n.employee_id <> 'unknown' AND n.complaints >= 3
ORDER BY n.complaints DESC, n.branch_code, n.employee_id
LIMIT 10
