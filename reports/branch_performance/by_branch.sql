-- Deposits of 12 months and of the same months a year before, a column for each branch: the chart shows one panel per
-- column, so a new branch needs two columns here and two series there. Nothing to compare where one branch only is seen.
WITH months AS (
  SELECT month, branch_code, SUM(balance) AS b, SUM(balance_prior_year) AS p
  FROM deposits
  WHERE month BETWEEN $year_back AND $month
  GROUP BY month, branch_code
)
SELECT month,
       MAX(b) FILTER (WHERE branch_code = 'beijing') AS beijing,
       MAX(p) FILTER (WHERE branch_code = 'beijing') AS beijing_prior,
       MAX(b) FILTER (WHERE branch_code = 'nanjing') AS nanjing,
       MAX(p) FILTER (WHERE branch_code = 'nanjing') AS nanjing_prior,
       MAX(b) FILTER (WHERE branch_code = 'hangzhou') AS hangzhou,
       MAX(p) FILTER (WHERE branch_code = 'hangzhou') AS hangzhou_prior,
       MAX(b) FILTER (WHERE branch_code = 'shanghai') AS shanghai,
       MAX(p) FILTER (WHERE branch_code = 'shanghai') AS shanghai_prior,
       MAX(b) FILTER (WHERE branch_code = 'jinan') AS jinan,
       MAX(p) FILTER (WHERE branch_code = 'jinan') AS jinan_prior,
       MAX(b) FILTER (WHERE branch_code = 'kunming') AS kunming,
       MAX(p) FILTER (WHERE branch_code = 'kunming') AS kunming_prior,
       MAX(b) FILTER (WHERE branch_code = 'shenzhen') AS shenzhen,
       MAX(p) FILTER (WHERE branch_code = 'shenzhen') AS shenzhen_prior,
       MAX(b) FILTER (WHERE branch_code = 'shenyang') AS shenyang,
       MAX(p) FILTER (WHERE branch_code = 'shenyang') AS shenyang_prior,
       MAX(b) FILTER (WHERE branch_code = 'guangzhou') AS guangzhou,
       MAX(p) FILTER (WHERE branch_code = 'guangzhou') AS guangzhou_prior,
       MAX(b) FILTER (WHERE branch_code = 'wuhan') AS wuhan,
       MAX(p) FILTER (WHERE branch_code = 'wuhan') AS wuhan_prior,
       MAX(b) FILTER (WHERE branch_code = 'chongqing') AS chongqing,
       MAX(p) FILTER (WHERE branch_code = 'chongqing') AS chongqing_prior,
       MAX(b) FILTER (WHERE branch_code = 'chengdu') AS chengdu,
       MAX(p) FILTER (WHERE branch_code = 'chengdu') AS chengdu_prior,
       MAX(b) FILTER (WHERE branch_code = 'xian') AS xian,
       MAX(p) FILTER (WHERE branch_code = 'xian') AS xian_prior,
       MAX(b) FILTER (WHERE branch_code = 'urumqi') AS urumqi,
       MAX(p) FILTER (WHERE branch_code = 'urumqi') AS urumqi_prior,
       MAX(b) FILTER (WHERE branch_code = 'dalian') AS dalian,
       MAX(p) FILTER (WHERE branch_code = 'dalian') AS dalian_prior,
       MAX(b) FILTER (WHERE branch_code = 'qingdao') AS qingdao,
       MAX(p) FILTER (WHERE branch_code = 'qingdao') AS qingdao_prior,
       MAX(b) FILTER (WHERE branch_code = 'taiyuan') AS taiyuan,
       MAX(p) FILTER (WHERE branch_code = 'taiyuan') AS taiyuan_prior,
       MAX(b) FILTER (WHERE branch_code = 'wenzhou') AS wenzhou,
       MAX(p) FILTER (WHERE branch_code = 'wenzhou') AS wenzhou_prior,
       MAX(b) FILTER (WHERE branch_code = 'fuzhou') AS fuzhou,
       MAX(p) FILTER (WHERE branch_code = 'fuzhou') AS fuzhou_prior,
       MAX(b) FILTER (WHERE branch_code = 'hohhot') AS hohhot,
       MAX(p) FILTER (WHERE branch_code = 'hohhot') AS hohhot_prior,
       MAX(b) FILTER (WHERE branch_code = 'tianjin') AS tianjin,
       MAX(p) FILTER (WHERE branch_code = 'tianjin') AS tianjin_prior,
       MAX(b) FILTER (WHERE branch_code = 'shijiazhuang') AS shijiazhuang,
       MAX(p) FILTER (WHERE branch_code = 'shijiazhuang') AS shijiazhuang_prior,
       MAX(b) FILTER (WHERE branch_code = 'ningbo') AS ningbo,
       MAX(p) FILTER (WHERE branch_code = 'ningbo') AS ningbo_prior,
       MAX(b) FILTER (WHERE branch_code = 'shaoxing') AS shaoxing,
       MAX(p) FILTER (WHERE branch_code = 'shaoxing') AS shaoxing_prior,
       MAX(b) FILTER (WHERE branch_code = 'nanning') AS nanning,
       MAX(p) FILTER (WHERE branch_code = 'nanning') AS nanning_prior,
       MAX(b) FILTER (WHERE branch_code = 'suzhou') AS suzhou,
       MAX(p) FILTER (WHERE branch_code = 'suzhou') AS suzhou_prior,
       MAX(b) FILTER (WHERE branch_code = 'wuxi') AS wuxi,
       MAX(p) FILTER (WHERE branch_code = 'wuxi') AS wuxi_prior,
       MAX(b) FILTER (WHERE branch_code = 'xiamen') AS xiamen,
       MAX(p) FILTER (WHERE branch_code = 'xiamen') AS xiamen_prior
FROM months
GROUP BY month
HAVING COUNT(*) > 1
ORDER BY month
