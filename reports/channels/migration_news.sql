-- Who left the counter and who came to mobile banking. One row; the same customers as in migration.sql.
WITH this_year AS (
  SELECT customer_id, channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $year_from AND $month AND is_customer_initiated
  GROUP BY customer_id, channel
), last_year AS (
  SELECT customer_id, channel, SUM(transactions) AS transactions
  FROM transactions
  WHERE month BETWEEN $prior_year_from AND $prior_year AND is_customer_initiated
  GROUP BY customer_id, channel
), main_now AS (
  SELECT customer_id,
         MAX(CASE WHEN share < 0.5 THEN 6 WHEN channel = 'MB' THEN 1 WHEN channel = 'OB' THEN 2 WHEN channel = 'AT' THEN 3
                  WHEN channel = 'CN' THEN 4 ELSE 5 END) AS main
  FROM (SELECT *, CAST(transactions AS DOUBLE) / SUM(transactions) OVER (PARTITION BY customer_id)  AS share,
               ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY transactions DESC, channel)     AS place
        FROM this_year) AS placed
  WHERE place = 1
  GROUP BY customer_id
), main_before AS (
  SELECT customer_id,
         MAX(CASE WHEN share < 0.5 THEN 6 WHEN channel = 'MB' THEN 1 WHEN channel = 'OB' THEN 2 WHEN channel = 'AT' THEN 3
                  WHEN channel = 'CN' THEN 4 ELSE 5 END) AS main
  FROM (SELECT *, CAST(transactions AS DOUBLE) / SUM(transactions) OVER (PARTITION BY customer_id)  AS share,
               ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY transactions DESC, channel)     AS place
        FROM last_year) AS placed
  WHERE place = 1
  GROUP BY customer_id
), moves AS (
  SELECT coalesce(b.main, 7) AS was, coalesce(n.main, 7) AS is_now
  FROM main_now n FULL JOIN main_before b ON b.customer_id = n.customer_id
)
SELECT COUNT(CASE WHEN was = 4 THEN 1 END)                                    AS counter_before,
       COUNT(CASE WHEN was = 4 AND is_now NOT IN (4, 7) THEN 1 END)           AS left_counter,
       COUNT(CASE WHEN was = 4 AND is_now = 1 THEN 1 END)                     AS counter_to_mobile,
       COUNT(CASE WHEN is_now = 4 AND was NOT IN (4, 7) THEN 1 END)           AS came_to_counter,
       COUNT(CASE WHEN was = 1 THEN 1 END)                                    AS mobile_before,
       COUNT(CASE WHEN is_now = 1 THEN 1 END)                                 AS mobile_now,
       COUNT(CASE WHEN is_now = 1 AND was NOT IN (1, 7) THEN 1 END)           AS came_to_mobile
FROM moves
