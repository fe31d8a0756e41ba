SELECT SUM(balance) AS balance FROM deposits WHERE month = $month
