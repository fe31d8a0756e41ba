-- How concentrated the contribution of the year is. One row; the same order of customers as in groups.sql.
WITH customers AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
  HAVING SUM(contribution) > 0
), ranked AS (
  SELECT contribution,
         NTILE(10)         OVER (ORDER BY contribution DESC, customer_id) AS tenth,
         ROW_NUMBER()      OVER (ORDER BY contribution DESC, customer_id) AS place,
         COUNT(*)          OVER ()                                        AS customers,
         SUM(contribution) OVER ()                                        AS whole,
         SUM(contribution) OVER (ORDER BY contribution DESC, customer_id
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cumulative
  FROM customers
)
SELECT COUNT(*) AS earning,
       CAST(SUM(CASE WHEN tenth = 1 THEN contribution END) AS DOUBLE) / CAST(MAX(whole) AS DOUBLE)       AS best_tenth_share,
       CAST(SUM(CASE WHEN tenth <= 2 THEN contribution END) AS DOUBLE) / CAST(MAX(whole) AS DOUBLE)      AS best_fifth_share,
       CAST(MIN(CASE WHEN cumulative >= whole * 0.8 THEN place END) AS DOUBLE) / NULLIF(MAX(customers), 0) AS share_for_80
FROM ranked
