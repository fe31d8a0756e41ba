//! The planted effects: what the analyses must find again. Shares are per mille unless stated.

/// Branch whose service breaks down.
pub(super) const BAD_BRANCH: &str = "taiyuan";
/// From this month (January 2025).
pub(super) const BAD_BRANCH_FROM: u32 = 13;
/// Its complaints, times.
pub(super) const BAD_BRANCH_COMPLAINTS: u64 = 4;
/// Its complaints that are answered in time.
pub(super) const BAD_BRANCH_IN_TIME: u64 = 550;
/// Its fees that are left.
pub(super) const BAD_BRANCH_FEES: i64 = 650;

/// Branch of the customer manager who draws complaints.
pub(super) const BAD_EMPLOYEE_BRANCH: &str = "wuhan";
/// From this month (April 2025).
pub(super) const BAD_EMPLOYEE_FROM: u32 = 16;
/// Complaints of the customers in the manager's care, times.
pub(super) const BAD_EMPLOYEE_COMPLAINTS: u64 = 14;

/// Complaints of a customer in a month.
pub(super) const COMPLAINTS: u64 = 18;
/// Complaints that are answered in time.
pub(super) const IN_TIME: u64 = 920;
/// A complaint is in time when it is closed within so many days.
pub(super) const SLA_DAYS: i64 = 10;

/// Customers who leave in a month.
pub(super) const LEAVING: u64 = 6;
/// The same after a complaint was open too long.
pub(super) const LEAVING_AFTER_COMPLAINT: u64 = 36;
/// A complaint open more days than this drives customers away ...
pub(super) const LONG_OPEN_DAYS: i64 = 15;
/// ... for so many months.
pub(super) const LEAVING_MONTHS: u32 = 6;

/// Counter transactions from the day before the Spring Festival to six days after it.
pub(super) const FESTIVAL_COUNTER: u32 = 400;
/// Cash withdrawals from ten to two days before it.
pub(super) const FESTIVAL_CASH: u32 = 2200;

/// Branch that borrows deposits for the last day of each quarter.
pub(super) const DRESSING_BRANCH: &str = "wuxi";
/// What it adds to the deposits on that day, so that the point balance stands 30% above the daily average of 30 or 31
/// days: (1 + x) = 1.3 (1 + x / 30.5).
pub(super) const DRESSING: i64 = 313;

/// Customers of a block of 1,000 in each arm of the two randomised campaigns.
pub(super) const ARM: usize = 400;
