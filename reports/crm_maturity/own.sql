-- The organisation of the page in its newest locked assessment, and the bank's distribution. One row.
WITH locked AS (
  SELECT a.*, 1 AS place
  FROM evaluation.assessment a
  WHERE is_newest AND organisation = $scope
), now AS (
  SELECT MAX(index_score) AS index_score, MAX(staged_level) AS staged_level, MAX(evidence_share) AS evidence_share,
         MAX(agreement) AS agreement, MAX(as_of) AS as_of, COUNT(*) AS found
  FROM locked WHERE place = 1
), bank AS (
  SELECT MAX(bank) AS bank_index, MAX(branch_median) AS branch_median, MAX(branches) AS branches
  FROM evaluation.maturity_bank WHERE dimension IS NULL
), weakest AS (
  SELECT CASE WHEN $lang = 'en' THEN d.name_en ELSE d.name END AS name, s.continuous
  FROM evaluation.assessment_score s
  JOIN evaluation.maturity_dimension d ON d.dimension = s.dimension
  WHERE s.organisation = $scope AND s.is_newest AND s.continuous IS NOT NULL
  ORDER BY s.continuous, d.position
  LIMIT 1
), last AS (
  SELECT MAX(name) AS weakest, MAX(continuous) AS weakest_level FROM weakest
)
SELECT n.index_score, n.staged_level, n.evidence_share, n.agreement, k.bank_index, k.branch_median,
       CASE
         WHEN n.found = 0 AND $lang = 'en' THEN 'There is no locked assessment yet.'
         WHEN n.found = 0 THEN '还没有锁定的评估。'
         WHEN n.index_score IS NULL AND $lang = 'en' THEN 'The newest assessment has no index: a dimension is not scored.'
         WHEN n.index_score IS NULL THEN '最新评估没有指数：有维度未能评分。'
         WHEN $lang = 'en' THEN
           'Index ' || CAST(CAST(n.index_score AS DECIMAL(9, 1)) AS VARCHAR) || ' of 100, staged level '
           || CAST(n.staged_level AS VARCHAR) || '; the weakest dimension is ' || l.weakest || ' at '
           || CAST(CAST(l.weakest_level AS DECIMAL(9, 1)) AS VARCHAR)
         ELSE
           '指数 ' || CAST(CAST(n.index_score AS DECIMAL(9, 1)) AS VARCHAR) || '（满分 100），分级 '
           || CAST(n.staged_level AS VARCHAR) || '；最弱维度为' || l.weakest || '（'
           || CAST(CAST(l.weakest_level AS DECIMAL(9, 1)) AS VARCHAR) || '）'
       END AS words
FROM now n CROSS JOIN bank k CROSS JOIN last l
