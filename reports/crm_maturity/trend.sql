-- Index of every locked assessment of the page's organisation, the oldest first.
SELECT CAST(as_of AS VARCHAR) AS day, index_score
FROM evaluation.assessment
WHERE status = 'locked' AND NOT is_superseded AND organisation = $scope AND as_of <= $as_of AND index_score IS NOT NULL
ORDER BY as_of, recorded_at
