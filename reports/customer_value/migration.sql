-- Where customers stood by contribution last year and where they stand this year, in fifths of each of the two years, best
-- first; of last year the same months are taken.
WITH this_year AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
), last_year AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $prior_year_from AND $prior_year
  GROUP BY customer_id
), placed_now AS (
  SELECT customer_id, CAST(NTILE(5) OVER (ORDER BY contribution DESC, customer_id) AS BIGINT) AS fifth FROM this_year
), placed_before AS (
  SELECT customer_id, CAST(NTILE(5) OVER (ORDER BY contribution DESC, customer_id) AS BIGINT) AS fifth FROM last_year
), groups AS (
  SELECT coalesce(t.customer_id, l.customer_id) AS customer_id,
         coalesce(l.fifth, 6) AS was, coalesce(t.fifth, 6) AS is_now
  FROM placed_now t FULL JOIN placed_before l ON l.customer_id = t.customer_id
), counts AS (
  SELECT GROUPING(was) = 1 AS is_total, was, COUNT(*) AS customers,
         COUNT(CASE WHEN is_now = 1 THEN 1 END)   AS first,
         COUNT(CASE WHEN is_now = 2 THEN 1 END)   AS second,
         COUNT(CASE WHEN is_now = 3 THEN 1 END)   AS third,
         COUNT(CASE WHEN is_now = 4 THEN 1 END)   AS fourth,
         COUNT(CASE WHEN is_now = 5 THEN 1 END)   AS fifth,
         COUNT(CASE WHEN is_now = 6 THEN 1 END)   AS gone,
         COUNT(CASE WHEN is_now < was THEN 1 END) AS up,
         COUNT(CASE WHEN is_now > was THEN 1 END) AS down
  FROM groups
  GROUP BY GROUPING SETS ((was), ())
)
SELECT c.is_total,
       CASE WHEN c.is_total THEN CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END
            WHEN c.was = 6  THEN CASE WHEN $lang = 'en' THEN 'None last year' ELSE '上年无业务' END
            WHEN c.was = 1  THEN CASE WHEN $lang = 'en' THEN 'Best 20%' ELSE '前20%' END
            ELSE CONCAT(CAST(c.was * 20 - 20 AS VARCHAR), '–', CAST(c.was * 20 AS VARCHAR), '%') END AS was_name,
       c.customers, c.first, c.second, c.third, c.fourth, c.fifth, c.gone, c.up, c.down
FROM counts c
WHERE EXISTS (SELECT 1 FROM last_year)
ORDER BY c.is_total, c.was
