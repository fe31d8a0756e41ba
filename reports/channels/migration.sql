-- The main channel of customers, in the same months last year and this year. A channel is the main one of a customer when
-- half of the transactions that the customer starts run through it.
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
), counts AS (
  SELECT GROUPING(was) = 1 AS is_total, was, COUNT(*) AS customers,
         COUNT(CASE WHEN is_now = 1 THEN 1 END) AS mobile,
         COUNT(CASE WHEN is_now = 2 THEN 1 END) AS online,
         COUNT(CASE WHEN is_now = 3 THEN 1 END) AS machine,
         COUNT(CASE WHEN is_now = 4 THEN 1 END) AS counter,
         COUNT(CASE WHEN is_now = 5 THEN 1 END) AS other,
         COUNT(CASE WHEN is_now = 6 THEN 1 END) AS several,
         COUNT(CASE WHEN is_now = 7 THEN 1 END) AS inactive
  FROM moves
  GROUP BY GROUPING SETS ((was), ())
)
SELECT is_total,
       CASE WHEN is_total THEN CASE WHEN $lang = 'en' THEN 'Total' ELSE '合计' END
            WHEN was = 1  THEN CASE WHEN $lang = 'en' THEN 'Mobile'          ELSE '手机银行' END
            WHEN was = 2  THEN CASE WHEN $lang = 'en' THEN 'Online'          ELSE '网上银行' END
            WHEN was = 3  THEN CASE WHEN $lang = 'en' THEN 'Self-service'    ELSE '自助设备' END
            WHEN was = 4  THEN CASE WHEN $lang = 'en' THEN 'Counter'         ELSE '柜面' END
            WHEN was = 5  THEN CASE WHEN $lang = 'en' THEN 'Other'           ELSE '其他渠道' END
            WHEN was = 6  THEN CASE WHEN $lang = 'en' THEN 'Several'         ELSE '多渠道' END
            ELSE               CASE WHEN $lang = 'en' THEN 'No transactions' ELSE '无交易' END END AS was_name,
       mobile, online, machine, counter, other, several, inactive, customers
FROM counts
WHERE EXISTS (SELECT 1 FROM last_year)
ORDER BY is_total, was
