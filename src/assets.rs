//! Bytes compiled in: every word a reader sees, by language.
//!
//! A new file of words is one line in [`TEXT`] per language. No font is compiled in (see `reports.md`, fonts).

/// Fluent files: language tag, file name, text. Both languages hold the same files with the same keys; a test compares them.
pub const TEXT: &[(&str, &str, &str)] = &[
    ("zh-CN", "locale.ftl", include_str!("assets/text/zh-CN/locale.ftl")),
    ("en", "locale.ftl", include_str!("assets/text/en/locale.ftl")),
    ("zh-CN", "chart.ftl", include_str!("assets/text/zh-CN/chart.ftl")),
    ("en", "chart.ftl", include_str!("assets/text/en/chart.ftl")),
    ("zh-CN", "report.ftl", include_str!("assets/text/zh-CN/report.ftl")),
    ("en", "report.ftl", include_str!("assets/text/en/report.ftl")),
    ("zh-CN", "portal.ftl", include_str!("assets/text/zh-CN/portal.ftl")),
    ("en", "portal.ftl", include_str!("assets/text/en/portal.ftl")),
    ("zh-CN", "mail.ftl", include_str!("assets/text/zh-CN/mail.ftl")),
    ("en", "mail.ftl", include_str!("assets/text/en/mail.ftl")),
    ("zh-CN", "publish.ftl", include_str!("assets/text/zh-CN/publish.ftl")),
    ("en", "publish.ftl", include_str!("assets/text/en/publish.ftl")),
    ("zh-CN", "schedule.ftl", include_str!("assets/text/zh-CN/schedule.ftl")),
    ("en", "schedule.ftl", include_str!("assets/text/en/schedule.ftl")),
    ("zh-CN", "alert.ftl", include_str!("assets/text/zh-CN/alert.ftl")),
    ("en", "alert.ftl", include_str!("assets/text/en/alert.ftl")),
    ("zh-CN", "workbook.ftl", include_str!("assets/text/zh-CN/workbook.ftl")),
    ("en", "workbook.ftl", include_str!("assets/text/en/workbook.ftl")),
    ("zh-CN", "evaluation.ftl", include_str!("assets/text/zh-CN/evaluation.ftl")),
    ("en", "evaluation.ftl", include_str!("assets/text/en/evaluation.ftl")),
    ("zh-CN", "roi.ftl", include_str!("assets/text/zh-CN/roi.ftl")),
    ("en", "roi.ftl", include_str!("assets/text/en/roi.ftl")),
    ("zh-CN", "outcome.ftl", include_str!("assets/text/zh-CN/outcome.ftl")),
    ("en", "outcome.ftl", include_str!("assets/text/en/outcome.ftl")),
];

/// Evaluation definitions shipped with the product; a project replaces each by one of the same name.
pub const EVALUATION: &[(&str, &str)] = &[
    ("maturity.yaml", include_str!("assets/evaluation/maturity.yaml")),
    ("phases.yaml", include_str!("assets/evaluation/phases.yaml")),
    ("roi.yaml", include_str!("assets/evaluation/roi.yaml")),
    ("scorecard.yaml", include_str!("assets/evaluation/scorecard.yaml")),
    ("statements.yaml", include_str!("assets/evaluation/statements.yaml")),
];
