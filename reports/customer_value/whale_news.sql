-- What the best fifth of the earning customers bring, and what loss makers cost. One row; the same groups as in whale.sql.
WITH customers AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
)
SELECT SUM(CASE WHEN contribution > 0 THEN contribution END)                                               AS earned,
       COUNT(CASE WHEN contribution < 0 THEN 1 END)                                                        AS losing,
       coalesce(SUM(CASE WHEN contribution < 0 THEN contribution END), CAST(0 AS DECIMAL(18,2)))           AS lost,
       CAST(coalesce(SUM(CASE WHEN contribution < 0 THEN contribution END), CAST(0 AS DECIMAL(18,2))) AS DOUBLE)
     / CAST(NULLIF(SUM(CASE WHEN contribution > 0 THEN contribution END), 0) AS DOUBLE)                    AS lost_share
FROM customers
