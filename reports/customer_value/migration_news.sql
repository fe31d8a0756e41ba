-- Who stayed in the best fifth, who fell out of it and who came in. One row; the same groups as in migration.sql.
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
  SELECT l.fifth AS was, t.fifth AS is_now
  FROM placed_now t FULL JOIN placed_before l ON l.customer_id = t.customer_id
)
SELECT COUNT(CASE WHEN was = 1 THEN 1 END)                                                AS best_before,
       COUNT(CASE WHEN was = 1 AND is_now = 1 THEN 1 END)                                 AS stayed,
       COUNT(CASE WHEN was = 1 AND coalesce(is_now, 6) > 1 THEN 1 END)                    AS fell,
       COUNT(CASE WHEN was = 1 AND is_now IS NULL THEN 1 END)                             AS gone,
       COUNT(CASE WHEN is_now = 1 AND coalesce(was, 6) > 1 THEN 1 END)                    AS rose,
       CAST(COUNT(CASE WHEN was = 1 AND is_now = 1 THEN 1 END) AS DOUBLE)
     / NULLIF(COUNT(CASE WHEN was = 1 THEN 1 END), 0)                                     AS stayed_share
FROM groups
