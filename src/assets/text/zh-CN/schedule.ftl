# `countinghouse schedule explain` 与调度页面的用语。

schedule-closes-month = 结账触发：月
schedule-closes-day = 结账触发：日
schedule-closes-business-day = 结账触发：工作日
schedule-cron = cron { $cron }
schedule-calendar = 日历 { $calendar }
schedule-holidays-skip = 逢节假日：跳过
schedule-holidays-next = 逢节假日：顺延至下一工作日
schedule-holidays-previous = 逢节假日：提前至上一工作日
schedule-zone = 时区 { $zone }

schedule-weekday-1 = 周一
schedule-weekday-2 = 周二
schedule-weekday-3 = 周三
schedule-weekday-4 = 周四
schedule-weekday-5 = 周五
schedule-weekday-6 = 周六
schedule-weekday-7 = 周日

schedule-ready = 已结账 { $closed }/{ $of }
schedule-waiting = 等待：{ $missing }
schedule-complete = 已齐
schedule-missing-note = { $branch }（{ $note }）
schedule-list = ，
schedule-separator = ；

schedule-deadline = 截止 { $when }
schedule-deadline-unknown = 截止时间未知：{ $why }
schedule-business-day = （第 { $day } 个工作日）
schedule-then-partial = -> 部分发布
schedule-then-partial-needs = -> 部分发布，至少 { $least } 家
schedule-then-hold = -> 暂不发布
schedule-would-publish = 届时将发布
schedule-would-hold = 届时将暂不发布
schedule-passed = 已过
schedule-tells = 通知 { $roles }

late-subject = { $report }：{ $period } 结账逾期
late-passed = 截止时间（{ $when }）已过，{ $of } 家分行中 { $closed } 家已完成 { $period } 结账。
late-passed-branch = 截止时间（{ $when }）已过，{ $branch }尚未完成 { $period } 结账。
late-partial = 报表现不含未结账分行先行发布，并注明缺少的分行；相关分行结账后将重新发布。
late-hold = 报表暂不发布，待全部分行结账后发布。
late-hold-least = 报表暂不发布：至少须有 { $least } 家分行结账。
late-hold-none = 报表暂不发布：尚无分行完成结账。
late-missing = 尚未结账：

schedule-for = 业务日期 { $period }
schedule-because = （{ $reasons }）
schedule-gap = { $wanted } 因夏令时拨快不存在
schedule-overlap-first = { $wanted } 因夏令时拨回出现两次，取第一次
schedule-overlap-both = { $wanted } 因夏令时拨回出现两次，两次均执行
schedule-moved = 由 { $days } 调整
schedule-joined = 兼 { $days }
schedule-made-up = 调休上班
schedule-made-up-for = { $holiday }调休上班
schedule-day-holiday = { $day } { $holiday }
schedule-day-weekend = { $day } 周末
schedule-more-days = { $days } 及另外 { $count } 天
schedule-skipped = 不执行：{ $days }
schedule-no-firing = 不再触发
schedule-beyond = 此后未知：{ $why }

schedule-recipients = 收件人 { $recipients } -> { $fingerprints } 种权限 -> { $files } 个文件
schedule-recipients-of = 收件人 { $recipients } -> { $fingerprints } 种权限（{ $scopes }）-> { $files } 个文件
schedule-branches = { $count } 家分行
schedule-head-office = 总行
schedule-branches-and-head-office = { $branches } + 总行
schedule-expected = 约 { $seconds } 秒
schedule-last-run = 上次 { $seconds } 秒
