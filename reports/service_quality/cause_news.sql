-- The most frequent causes of the year so far, the one that grew most and the one answered least in time. One row.
WITH now AS (
  SELECT cause, CASE WHEN $lang = 'en' THEN cause_name_en ELSE cause_name END AS name, SUM(complaints) AS complaints,
         MEASURE(in_time_rate) AS in_time
  FROM complaints
  WHERE month BETWEEN $year_from AND $month
  GROUP BY cause, cause_name, cause_name_en
), before AS (
  SELECT cause, SUM(complaints) AS complaints
  FROM complaints
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY cause
), sized AS (
  SELECT *, CASE WHEN 2 * complaints * COUNT(*) OVER () >= SUM(complaints) OVER () THEN 0 ELSE 1 END AS is_small FROM now
), placed AS (
  SELECT n.name, n.complaints, n.in_time, SUM(n.complaints) OVER () AS whole,
         n.complaints - coalesce(b.complaints, 0) AS change,
         ROW_NUMBER() OVER (ORDER BY n.complaints DESC, n.cause)                              AS place,
         ROW_NUMBER() OVER (ORDER BY n.complaints - coalesce(b.complaints, 0) DESC, n.cause)  AS risen,
         ROW_NUMBER() OVER (ORDER BY n.is_small, n.in_time NULLS LAST, n.complaints DESC, n.cause) AS slow
  FROM sized n
  LEFT JOIN before b ON b.cause = n.cause
)
SELECT MAX(CASE WHEN place = 1 THEN name END)                                              AS first,
       CAST(MAX(CASE WHEN place = 1 THEN complaints END) AS DOUBLE) / MAX(whole)           AS first_share,
       STRING_AGG(name, CASE WHEN $lang = 'en' THEN ', ' ELSE '、' END ORDER BY place)
         FILTER (WHERE place <= 3)                                                         AS names,
       CAST(SUM(CASE WHEN place <= 3 THEN complaints END) AS DOUBLE) / MAX(whole)          AS names_share,
       MAX(CASE WHEN risen = 1 THEN name END)                                              AS risen,
       MAX(CASE WHEN risen = 1 THEN change END)                                            AS risen_change,
       MAX(CASE WHEN slow = 1 THEN name END)                                               AS slow,
       MAX(CASE WHEN slow = 1 THEN in_time END)                                            AS slow_in_time
FROM placed
