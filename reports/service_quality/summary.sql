-- Complaints of the year so far beside the same months of the year before. Changes are rounded as they are printed. One row.
WITH this_year AS (
  SELECT SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time, MEASURE(average_open_days) AS days,
         SUM(reopened) AS reopened, SUM(compensation) AS compensation, MEASURE(complainants) AS complainants,
         SUM(open_cases) AS open_cases
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
), last_year AS (
  SELECT SUM(complaints) AS complaints, MEASURE(in_time_rate) AS in_time, MEASURE(average_open_days) AS days,
         SUM(reopened) AS reopened, SUM(compensation) AS compensation, MEASURE(complainants) AS complainants
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
), customers AS (
  SELECT CAST(MAX(CASE WHEN month = $month THEN customers END) AS DOUBLE)      AS now,
         CAST(MAX(CASE WHEN month = $prior_year THEN customers END) AS DOUBLE) AS before
  FROM (SELECT month, MEASURE(customers) AS customers FROM deposits WHERE month IN ($month, $prior_year) GROUP BY month)
), repeats AS (
  SELECT COUNT(*) AS customers, COUNT(CASE WHEN n > 1 THEN 1 END) AS again,
         coalesce(SUM(CASE WHEN n > 1 THEN n END), 0) AS cases
  FROM (SELECT customer_id, SUM(complaints) AS n FROM complaints
       WHERE month BETWEEN $year_from AND $month GROUP BY customer_id)
), repeats_before AS (
  SELECT coalesce(SUM(CASE WHEN n > 1 THEN n END), 0) AS cases
  FROM (SELECT customer_id, SUM(complaints) AS n FROM complaints
        WHERE month BETWEEN $prior_year_from AND $prior_year GROUP BY customer_id)
)
SELECT coalesce(t.complaints, 0) AS complaints, l.complaints AS complaints_prior_year,
       t.complaints - l.complaints                                                 AS complaints_change,
       CAST(t.complaints AS DOUBLE) / NULLIF(l.complaints, 0) - 1                  AS complaints_change_share,
       t.in_time, l.in_time AS in_time_prior_year,
       ROUND(CAST(t.in_time AS DOUBLE) - CAST(l.in_time AS DOUBLE), 3)             AS in_time_change,
       t.days, l.days AS days_prior_year,
       t.reopened, l.reopened AS reopened_prior_year, t.compensation, l.compensation AS compensation_prior_year,
       coalesce(t.open_cases, 0) AS open_cases,
       100 * t.complaints / NULLIF(c.now, 0)    AS per_hundred,
       100 * l.complaints / NULLIF(c.before, 0) AS per_hundred_prior_year,
       r.again, r.customers AS complainants,
       CAST(r.cases AS DOUBLE) / NULLIF(t.complaints, 0)                           AS repeat_share,
       CAST(b.cases AS DOUBLE) / NULLIF(l.complaints, 0)                           AS repeat_share_prior_year
FROM this_year t CROSS JOIN last_year l CROSS JOIN customers c CROSS JOIN repeats r CROSS JOIN repeats_before b
