-- How concentrated the contribution of the year is. One row. Same order of customers as in customer_groups.sql.
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
), whole AS (
  SELECT COUNT(*) AS customers, SUM(contribution) AS contribution FROM customers
), figures AS (
  SELECT MAX(w.customers)                                                      AS customers,
         MAX(w.contribution)                                                   AS contribution,
         SUM(CASE WHEN r.tenth = 1 THEN r.contribution END)                    AS best_tenth,
         MIN(CASE WHEN r.cumulative >= w.contribution * 0.8 THEN r.place END)  AS customers_for_80,
         COUNT(CASE WHEN r.contribution < 0 THEN 1 END)                        AS losing_customers,
         SUM(CASE WHEN r.contribution < 0 THEN r.contribution END)             AS losses
  FROM ranked r CROSS JOIN whole w
)
SELECT customers, contribution, losing_customers, losses,
       CASE WHEN contribution > 0 THEN CAST(best_tenth AS DOUBLE) / CAST(contribution AS DOUBLE) END AS best_tenth_share,
       CASE WHEN contribution > 0 AND customers > 0
            THEN CAST(customers_for_80 AS DOUBLE) / CAST(customers AS DOUBLE) END                    AS share_for_80
FROM figures
