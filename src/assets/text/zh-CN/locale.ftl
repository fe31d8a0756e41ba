# Units, dates, marks. Keys are the same in every language; a test compares them.

language-name = 中文

month-1 = 1月
month-2 = 2月
month-3 = 3月
month-4 = 4月
month-5 = 5月
month-6 = 6月
month-7 = 7月
month-8 = 8月
month-9 = 9月
month-10 = 10月
month-11 = 11月
month-12 = 12月
month-of-year = { $year }年{ $month }
quarter-of-year = { $year }年{ $quarter }季度
quarter-short = { $quarter }季

unit-money-0 = 元
unit-money-3 = 千元
unit-money-4 = 万元
unit-money-6 = 百万元
unit-money-8 = 亿元
unit-money-9 = 十亿元
unit-count-3 = 千
unit-count-4 = 万
unit-count-6 = 百万
unit-count-8 = 亿
unit-count-9 = 十亿
unit-points = 百分点

amount-money-0 = { $value } 元
amount-money-3 = { $value } 千元
amount-money-4 = { $value } 万元
amount-money-6 = { $value } 百万元
amount-money-8 = { $value } 亿元
amount-money-9 = { $value } 十亿元
amount-count-3 = { $value } 千
amount-count-4 = { $value } 万
amount-count-6 = { $value } 百万
amount-count-8 = { $value } 亿
amount-count-9 = { $value } 十亿
amount-points = { $value } 百分点
amount-basis-points = { $value } BP

list-separator = 、
mark-missing = “–” 表示无数据
mark-suppressed = “*” 表示因人数过少不予列示
mark-not-applicable = “n/a” 表示不适用
rounding-note = 因四舍五入，分项与合计可能有尾差
