# 发送已发布报表的邮件。

mail-subject-corrected = 更正：{ $subject }
mail-version = 第 { $version } 版
mail-corrected = 更正，第 { $version } 版
mail-corrected-withheld = 更改内容见报表。
mail-preliminary = 初步数据：{ $of } 家分行中 { $closed } 家已结账。
mail-preliminary-open = 初步数据：{ $of } 家分行中 { $closed } 家已结账，尚未结账：{ $open }。
mail-more = { $names }等，另有 { $count } 家
mail-withheld = 本报表含有个人信息，因此邮件中不列数据，请登录后查看。
mail-figure = { $title }：{ $value }
mail-more-rows = 其余 { $count } 行见报表。
mail-open = 打开报表
mail-files = 附件：{ $files }
mail-files-large = 本报表的文件合计超过 { $mib } MiB，因此未随附，请通过上方链接获取。
mail-list = 、
mail-look = 查看详情
mail-notice-footer = 本邮件由{ $name }自动发送，请勿回复。
mail-footer = 本邮件由{ $name }自动发送，请勿回复。版本标识 { $edition }。
