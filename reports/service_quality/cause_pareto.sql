-- Complaints of the year so far by cause.
SELECT CASE WHEN $lang = 'en' THEN cause_name_en ELSE cause_name END AS name, SUM(complaints) AS complaints
FROM complaints
WHERE month BETWEEN $year_from AND $month
GROUP BY cause, cause_name, cause_name_en
ORDER BY complaints DESC, cause
