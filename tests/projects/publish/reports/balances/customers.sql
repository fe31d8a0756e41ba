SELECT customer_name AS customer, SUM(balance) AS balance
FROM deposits
WHERE month = $month
GROUP BY customer_name
ORDER BY balance DESC, customer
