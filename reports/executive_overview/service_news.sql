-- Complaints answered in time over three months in the whole scope. One row.
SELECT MEASURE(in_time_rate) AS in_time_rate, SUM(complaints) AS complaints
FROM complaints
WHERE month BETWEEN $quarter_from AND $month
