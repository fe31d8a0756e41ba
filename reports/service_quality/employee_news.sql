-- The employee with most complaints. One row, also where nobody has any.
WITH staff AS (
  SELECT CASE WHEN $lang = 'en' THEN branch_name_en ELSE branch END AS branch_name, branch_code, employee_id,
         SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY branch_code, branch, branch_name_en, employee_id
), placed AS (
  SELECT *, CAST(complaints AS DOUBLE) / SUM(complaints) OVER (PARTITION BY branch_code) AS share FROM staff
), first AS (
  SELECT employee_id, branch_name, complaints, share
  FROM placed
  WHERE employee_id <> 'unknown'
  ORDER BY complaints DESC, branch_code, employee_id
  LIMIT 1
)
SELECT CASE WHEN COUNT(*) = 0 THEN CASE WHEN $lang = 'en' THEN 'No complaint concerns an employee by number'
                                    ELSE '没有指向具体员工的投诉' END
            WHEN $lang = 'en' THEN concat('Most complaints concern employee ', MAX(employee_id), ', ', MAX(branch_name),
                                          ': ', CAST(MAX(complaints) AS VARCHAR), ', ',
                                          CAST(CAST(ROUND(100 * MAX(share)) AS BIGINT) AS VARCHAR),
                                          '% of those of the branch')
            ELSE concat('被投诉最多的员工：', MAX(branch_name), ' ', MAX(employee_id), '，', CAST(MAX(complaints) AS VARCHAR),
                        ' 件，占所在分行投诉的 ', CAST(CAST(ROUND(100 * MAX(share)) AS BIGINT) AS VARCHAR), '%') END AS sentence
FROM first
