-- Depositors in groups from the largest down: who holds the balance.
WITH customers AS (
  SELECT customer_id, SUM(balance) AS balance
  FROM deposits
  WHERE month = $month
  GROUP BY customer_id
  HAVING SUM(balance) > 0
), groups AS (
  SELECT balance, NTILE(10) OVER (ORDER BY balance DESC, customer_id) AS tenth
  FROM customers
), sums AS (
  SELECT tenth, COUNT(*) AS customers, SUM(balance) AS balance
  FROM groups
  GROUP BY tenth
)
SELECT tenth,
       CASE WHEN tenth = 1 AND $lang = 'en' THEN 'Top 10%'
            WHEN tenth = 1                  THEN '前10%'
            ELSE CONCAT(CAST((tenth - 1) * 10 AS VARCHAR), '–', CAST(tenth * 10 AS VARCHAR), '%') END AS customer_group,
       customers, balance
FROM sums
ORDER BY tenth
