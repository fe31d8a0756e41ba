# Units, dates, marks. Keys are the same in every language; a test compares them.

language-name = English

month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec
month-of-year = { $month } { $year }
quarter-of-year = Q{ $quarter } { $year }
quarter-short = Q{ $quarter }

unit-money-0 = CNY
unit-money-3 = CNY K
unit-money-4 = CNY 10K
unit-money-6 = CNY M
unit-money-8 = CNY 100M
unit-money-9 = CNY bn
unit-count-3 = K
unit-count-4 = 10K
unit-count-6 = M
unit-count-8 = 100M
unit-count-9 = bn
unit-points = pp

amount-money-0 = CNY { $value }
amount-money-3 = CNY { $value } K
amount-money-4 = CNY { $value } × 10K
amount-money-6 = CNY { $value } M
amount-money-8 = CNY { $value } × 100M
amount-money-9 = CNY { $value } bn
amount-count-3 = { $value } K
amount-count-4 = { $value } × 10K
amount-count-6 = { $value } M
amount-count-8 = { $value } × 100M
amount-count-9 = { $value } bn
amount-points = { $value } pp
amount-basis-points = { $value } BP

list-separator = {", "}
mark-missing = “–” means no data
mark-suppressed = “*” means withheld because it covers too few people
mark-not-applicable = “n/a” means not applicable
rounding-note = Parts may not add up to totals because of rounding
