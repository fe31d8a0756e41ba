-- Every figure by convention: as entered, adjusted for risk and evidence, and with what came in place of the plan.
WITH picked AS (
  SELECT case_id
  FROM evaluation.roi_case
  WHERE currency = 'CNY' AND (organisation = $scope OR ($scope = 'head_office' AND organisation IS NOT NULL))
    AND (case_id = $case OR ($case = 'newest' AND organisation = $scope))
  ORDER BY CASE WHEN status = 'approved' THEN 0 ELSE 1 END, recorded_at DESC, case_id
  LIMIT 1
)
SELECT CASE r.view WHEN 'entered'  THEN CASE WHEN $lang = 'en' THEN 'As entered' ELSE '原始口径' END
                   WHEN 'adjusted' THEN CASE WHEN $lang = 'en' THEN 'Adjusted'   ELSE '调整口径' END
                   ELSE                 CASE WHEN $lang = 'en' THEN 'Outlook'    ELSE '最新预测' END END AS name,
       r.pv_benefits, r.pv_costs, r.npv, r.roi, r.roi_undiscounted, r.profitability_index, r.benefit_cost, r.irr, r.irr_all,
       r.mirr, r.payback, r.discounted_payback,
       concat_ws('; ',
         CASE WHEN r.irr_status = 'none'            AND $lang = 'en' THEN 'no internal rate'
              WHEN r.irr_status = 'none'            THEN '无内部收益率'
              WHEN r.irr_status = 'multiple'        AND $lang = 'en' THEN 'several internal rates, none is the return'
              WHEN r.irr_status = 'multiple'        THEN '内部收益率多解，不宜采用'
              WHEN r.irr_status = 'unique_positive' AND $lang = 'en' THEN 'one of several internal rates is positive'
              WHEN r.irr_status = 'unique_positive' THEN '内部收益率取唯一正解' END,
         CASE WHEN r.payback_reason IS NOT NULL AND $lang = 'en' THEN 'not repaid'
              WHEN r.payback_reason IS NOT NULL THEN '未能收回'
              WHEN r.payback_last_reason IS NOT NULL AND $lang = 'en' THEN 'the cumulative flow ends below 0'
              WHEN r.payback_last_reason IS NOT NULL THEN '期末累计净现金流为负' END)                  AS remark
FROM evaluation.roi_result r
JOIN picked p ON p.case_id = r.case_id
WHERE r.view IN ('entered', 'adjusted', 'outlook')
ORDER BY CASE r.view WHEN 'entered' THEN 1 WHEN 'adjusted' THEN 2 ELSE 3 END
