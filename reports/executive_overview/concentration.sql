-- How concentrated the contribution of the year is. One row. The same order of customers as in customer_groups.sql.
WITH customers AS (
  SELECT customer_id, SUM(contribution) AS contribution
  FROM profit
  WHERE month BETWEEN $year_from AND $month
  GROUP BY customer_id
), ranked AS (
  SELECT contribution,
         NTILE(10)         OVER (ORDER BY contribution DESC, customer_id) AS tenth,
         ROW_NUMBER()      OVER (ORDER BY contribution DESC, customer_id) AS place,
         SUM(contribution) OVER (ORDER BY contribution DESC, customer_id
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cumulative
  FROM customers
  WHERE contribution > 0
), earning AS (
  SELECT COUNT(*) AS customers, SUM(contribution) AS contribution FROM customers WHERE contribution > 0
), losing AS (
  SELECT COUNT(*) AS customers, COALESCE(SUM(contribution), 0) AS contribution FROM customers WHERE contribution < 0
), reached AS (
  SELECT SUM(CASE WHEN r.tenth = 1 THEN r.contribution END)                   AS best_tenth,
         MIN(CASE WHEN r.cumulative >= e.contribution * 0.8 THEN r.place END) AS customers_for_80
  FROM ranked r CROSS JOIN earning e
)
SELECT e.customers    AS earning_customers,
       e.contribution AS earned,
       l.customers    AS losing_customers,
       l.contribution AS lost,
       CASE WHEN e.contribution > 0 THEN CAST(r.best_tenth AS DOUBLE) / CAST(e.contribution AS DOUBLE) END AS best_tenth_share,
       CASE WHEN e.customers > 0 THEN CAST(r.customers_for_80 AS DOUBLE) / CAST(e.customers AS DOUBLE) END AS share_for_80
FROM reached r CROSS JOIN earning e CROSS JOIN losing l
