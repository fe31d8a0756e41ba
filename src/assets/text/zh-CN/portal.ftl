# Portal.

portal-skip = 跳到正文
portal-navigation = 主导航
portal-home = 总览
portal-reports = 报表
portal-logout = 退出
portal-head-office = 全行
portal-list = 、
portal-separator = ，

portal-login = 登录
portal-login-title = 登录
portal-name = 用户名
portal-password = 密码
portal-login-failed = 登录失败。请核对用户名和密码；多次失败后最多需等待五分钟。
portal-login-again = 页面已过期，请重新登录。

portal-greeting = 您好，{ $name }
portal-state-complete = 数据截至 { $date }，{ $of } 家分行已全部结账。
portal-state-open = 数据截至 { $date }，初步数据：{ $of } 家分行中 { $closed } 家已结账。
portal-no-data = 尚未加载数据。加载第一个批次后即可查看：countinghouse load FEED.yaml
portal-completeness = 已结账分行
portal-open-branches = 尚未结账
portal-tie-out = 总分核对
portal-tie-out-agrees = 分毫不差
portal-tie-out-differs = 存在差异，核清前请勿使用
portal-snapshot = 快照
portal-published = 发布时间

portal-no-reports = 您目前没有可以查看的报表，请联系管理员授予角色。
portal-cubes = 多维数据集
portal-cubes-hint = 指标及其 SQL 写法。任何工具得到的数字都与报表一致。
portal-measures = { $count } 个指标
portal-measure = 指标
portal-call = SQL 写法
portal-class = 可加性
portal-unit = 单位
portal-additive = 各维度可加
portal-semi-additive = 除时间外可加
portal-non-additive = 不可加
portal-time-all = 期间
portal-time-close = 时点
portal-time-average-daily = 日均
portal-time-last-seen = 最近一次

portal-unit-cny = 元
portal-unit-percent = 百分比
portal-unit-points = 百分点
portal-unit-customers = 户
portal-unit-accounts = 户
portal-unit-contacts = 次
portal-unit-transactions = 笔
portal-unit-cases = 件
portal-unit-employees = 人
portal-unit-days = 天
portal-unit-hours = 小时
portal-unit-minutes = 分钟
portal-unit-seconds = 秒

portal-connect = 连接工具
portal-connect-hint = BI 工具和程序按您的权限读取同样的数据集，默认模式为 { $schema }。
portal-connect-login = 以 { $user } 登录，使用密码或访问令牌。
portal-copy = 复制
portal-copied = 已复制

portal-to-portal = 返回总览
portal-error-code = 错误代码
portal-correlation = 关联编号
portal-error-request = 无法处理该请求
portal-error-request-then = 数据不受影响。请返回，改正提示的参数后重试。
portal-error-denied = 您没有此项权限
portal-error-denied-then = 请重新登录，或联系管理员授予所需角色。
portal-error-missing = 没有这个页面，或您没有查看权限
portal-error-missing-then = 总览列出了您可以查看的全部内容；如有缺少，请联系管理员。
portal-error-data = 数据尚未就绪
portal-error-data-then = 此前发布的数据仍然有效。请在下一批次加载后重试。
portal-error-limit = 结果过大
portal-error-limit-then = 未截断，也未显示任何部分结果。请缩小期间或范围后重试。
portal-error-busy = 服务器繁忙
portal-error-busy-then = 数据不受影响。请稍后几秒重试。
portal-error-slow = 处理超时
portal-error-slow-then = 数据不受影响。请缩小期间或范围后重试。
portal-error-internal = 服务器出错
portal-error-internal-then = 宁可不显示，也不显示错误的数字。请将关联编号告知运维人员。
