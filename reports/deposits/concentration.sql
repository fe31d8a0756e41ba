-- How concentrated deposits are. One row; the same order of customers as in groups.sql.
WITH customers AS (
  SELECT customer_id, SUM(balance) AS balance
  FROM deposits
  WHERE month = $month
  GROUP BY customer_id
  HAVING SUM(balance) > 0
), ranked AS (
  SELECT balance,
         NTILE(10)    OVER (ORDER BY balance DESC, customer_id) AS tenth,
         ROW_NUMBER() OVER (ORDER BY balance DESC, customer_id) AS place,
         SUM(balance) OVER ()                                   AS whole
  FROM customers
)
SELECT COUNT(*) AS depositors,
       CAST(SUM(CASE WHEN place <= 10 THEN balance END) AS DOUBLE) / CAST(MAX(whole) AS DOUBLE) AS top_ten_share,
       CAST(SUM(CASE WHEN tenth = 1 THEN balance END) AS DOUBLE) / CAST(MAX(whole) AS DOUBLE)   AS best_tenth_share,
       CAST(MAX(balance) AS DOUBLE) / CAST(MAX(whole) AS DOUBLE)                                AS largest_share
FROM ranked
