-- Cases that are shipped to read, under each of their readings, with what each takes for granted.
SELECT CASE WHEN $lang = 'en' THEN c.name_en ELSE c.name END AS name,
       CASE WHEN $lang = 'en' THEN d.name_en ELSE d.name END AS reading,
       CASE WHEN $lang = 'en' THEN d.assumes_en ELSE d.assumes END AS assumes,
       d.arithmetic, r.attribution_needed, r.roi_undiscounted, r.payback,
       CASE WHEN c.basis = 'given' AND $lang = 'en' THEN 'given' WHEN c.basis = 'given' THEN '给定'
            WHEN $lang = 'en' THEN 'illustrative' ELSE '示意' END AS basis
FROM evaluation.roi_result r
JOIN evaluation.roi_case c ON c.case_id = r.case_id
JOIN evaluation.roi_reading d ON d.case_id = r.case_id AND d.reading = r.reading
WHERE c.organisation IS NULL
ORDER BY c.case_id, d.position
