//! Comparisons as date maps: which days feed a group other than its own.
//!
//! A group of a question stands for days `S`. A [`Shift`] turns them into other days (the year before, from the year's
//! start), and the measure's time rule then picks from those as it does from its own. A day may feed several groups (each
//! month to date holds the first of January), so the map is a table of pairs that facts, or the periods of a rollup, are
//! joined with; the groups' values come from the map.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Field;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, utils::conjunction};
use jiff::civil::Date;
use jiff::{Span, ToSpan};

use super::{Coverage, buckets, close_column, date, length_column, memory, number, start, truths, weight_column};
use crate::cube::measure::Days;
use crate::error::{Code, Error, Result};
use crate::model::cube::{Shift, Unit};

/// First and last day, both inside.
type Run = (i32, i32);

/// The days that feed each group of a comparison.
#[derive(Debug)]
pub(in crate::cube) struct Moved {
    pub(in crate::cube) shift: Shift,
    pub(in crate::cube) rule: Days,
    /// Values of the grouping expressions over time: position among the set's keys, and a value for each group.
    keys: Vec<(usize, ArrayRef)>,
    pub(in crate::cube) groups: Vec<Group>,
    first: i32,
}

/// A group and the days that feed it.
#[derive(Debug)]
pub(in crate::cube) struct Group {
    /// Days with their weights, in order; none where the facts do not reach so far back.
    pub(in crate::cube) days: Vec<(i32, i64)>,
    /// Whether they reach so far. The first days of the first month of events are known to have none.
    known: bool,
    /// Calendar days that an average divides by.
    pub(in crate::cube) length: i64,
}

/// A group by its place, and a day that feeds it with its weight.
pub(in crate::cube) type Feed = (usize, i32, i64);

impl Coverage {
    /// The map of a comparison: `keys` are the grouping expressions over time with their positions, `conditions` the
    /// question's conditions on time.
    pub(in crate::cube) fn moved(
        &self,
        levels: &[(String, &'static str)],
        keys: &[(usize, &Expr)],
        conditions: &[Expr],
        (shift, rule): (Shift, Days),
        session: &SessionState,
    ) -> Result<Moved> {
        let rows = self.days().len();
        let exprs: Vec<Expr> = keys.iter().map(|(_, key)| (*key).clone()).collect();
        let values = self.values(levels, &exprs, session)?;
        let ids = buckets(&values, rows)?;
        let condition = conjunction(conditions.to_vec());
        let mut inside = match &condition {
            None => vec![true; rows],
            Some(condition) => truths(&self.values(levels, std::slice::from_ref(condition), session)?[0])?,
        };
        let limit = if rule == Days::All { self.until } else { self.last };
        let known = usize::try_from(limit - self.first + 1).unwrap_or(0);
        inside[known..].fill(false);

        // Groups in the order of their first day.
        let mut rows_of: Vec<Vec<usize>> = Vec::new();
        let mut place: Vec<Option<usize>> = vec![None; ids.iter().max().map_or(0, |most| most + 1)];
        for row in (0..rows).filter(|row| inside[*row]) {
            let group = *place[ids[row]].get_or_insert_with(|| {
                rows_of.push(Vec::new());
                rows_of.len() - 1
            });
            rows_of[group].push(row);
        }
        let prior = match shift {
            Shift::PriorPeriod if keys.is_empty() => Prior::Range(self.asked_range(levels, condition, limit, session)?),
            Shift::PriorPeriod => Prior::Unit(self.grouped_unit(&ids)?),
            _ => Prior::None,
        };
        let mut groups = Vec::new();
        for rows in &rows_of {
            let asked = runs(rows.iter().map(|row| self.first + *row as i32));
            let source = self.source(shift, &asked, &prior, limit)?;
            groups.push(self.group(&source, rule)?);
        }
        let firsts: UInt32Array = rows_of.iter().map(|rows| u32::try_from(rows[0]).ok()).collect();
        let keys = keys.iter().zip(&values).map(|((n, _), values)| {
            let taken = take(values, &firsts, None);
            taken.map(|taken| (*n, taken)).map_err(|error| Error::internal("cannot build a date map", error))
        });
        Ok(Moved { shift, rule, keys: keys.collect::<Result<_>>()?, groups, first: self.first })
    }

    /// The days that a shift makes of a group's own.
    fn source(&self, shift: Shift, asked: &[Run], prior: &Prior, limit: i32) -> Result<Vec<Run>> {
        let (Some((first, _)), Some((_, last))) = (asked.first().copied(), asked.last().copied()) else {
            return Ok(Vec::new());
        };
        let to_date = |unit: Unit| (start(last, unit.name()), last);
        Ok(match shift {
            Shift::PriorYear => asked.iter().map(|run| a_year_earlier(*run)).collect(),
            // All that lies before: the time rule takes the last snapshot day of it.
            Shift::YearStart => vec![(self.first, start(last, "year") - 1)],
            Shift::Opening => vec![(self.first, first - 1)],
            Shift::ToDate(unit) => vec![to_date(unit)],
            Shift::ToDatePriorYear(unit) => vec![a_year_earlier(to_date(unit))],
            Shift::Rolling(count, unit) => vec![(back_to(last, i32::from(count), unit), last)],
            Shift::PriorPeriod => match prior {
                Prior::Range(run) => vec![*run],
                Prior::Unit(unit) => {
                    let begins = start(first, unit.name());
                    let whole = (begins.max(self.first), (moved_start(begins, 1, *unit) - 1).min(limit));
                    if asked != [whole] {
                        return Err(Error::new(
                            Code::TimeContext,
                            format!(
                                "a prior period needs whole periods, and the question cuts the {} of {}; ask for whole \
                                 ones, or compare with the prior year",
                                unit.name(),
                                date(first)
                            ),
                        ));
                    }
                    vec![(moved_start(begins, -1, *unit), begins - 1)]
                }
                Prior::None => Vec::new(),
            },
        })
    }

    /// What a time rule picks of the days; nothing where the facts do not reach that far back.
    fn group(&self, source: &[Run], rule: Days) -> Result<Group> {
        let none = Group { days: Vec::new(), known: false, length: 0 };
        let days = || source.iter().flat_map(|(from, to)| *from..=*to);
        let row = |day: i32| usize::try_from(day - self.first).ok().filter(|row| *row < self.snapshot_days.len());
        if rule == Days::Close {
            let close = days().filter(|day| row(*day).is_some_and(|row| self.snapshot_days[row])).max();
            return Ok(close.map_or(none, |day| Group { days: vec![(day, 1)], known: true, length: 1 }));
        }
        // The first month with an event is taken as one that was recorded from its first day.
        let reaches = if self.rule.is_none() { number(date(self.first).first_of_month()) } else { self.first };
        if days().min().is_none_or(|first| first < reaches) {
            return Ok(none);
        }
        let mut inside = vec![false; self.snapshot_days.len()];
        days().filter_map(row).for_each(|row| inside[row] = true);
        let length = i64::try_from(days().count()).unwrap_or(i64::MAX);
        let weights = match rule {
            Days::Daily { .. } => self.weights(&inside, &vec![0; inside.len()])?,
            Days::Closed => {
                let closed = inside.iter().zip(&self.snapshot_days);
                closed.map(|(inside, closed)| i64::from(*inside && *closed)).collect()
            }
            Days::All | Days::Close => inside.iter().map(|inside| i64::from(*inside)).collect(),
        };
        let fed = weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0);
        let days = fed.map(|(row, weight)| (self.first + row as i32, weight)).collect();
        Ok(Group { days, known: true, length })
    }

    /// The one unit of the calendar that the groups are.
    fn grouped_unit(&self, ids: &[usize]) -> Result<Unit> {
        let same = |unit: &Unit| {
            let day = |row: usize| self.first + row as i32;
            let alike = |row: usize| {
                (ids[row] == ids[row - 1]) == (start(day(row), unit.name()) == start(day(row - 1), unit.name()))
            };
            // A group that comes again later is no period.
            let mut begun: Vec<usize> =
                (0..ids.len()).filter(|row| *row == 0 || ids[*row] != ids[*row - 1]).map(|row| ids[row]).collect();
            let count = begun.len();
            begun.sort_unstable();
            begun.dedup();
            (1..ids.len()).all(alike) && begun.len() == count
        };
        Unit::ALL.into_iter().find(same).ok_or_else(|| {
            Error::new(
                Code::TimeContext,
                "a prior period needs the days, weeks, months, quarters or years of one calendar among the grouping \
                 columns, or no time column at all",
            )
        })
    }

    /// The range before the one that is asked for, of the same number of the largest units that it is made of.
    fn asked_range(
        &self,
        levels: &[(String, &'static str)],
        condition: Option<Expr>,
        limit: i32,
        session: &SessionState,
    ) -> Result<Run> {
        let Some(condition) = condition else { return Ok((self.first, self.first - 1)) }; // no day at all
        // Beyond what the facts cover, so that a whole year is seen as one before it has ended, an open end as open, two ranges
        // as two though the facts begin in the gap, and one that comes every year as several.
        let from = moved_start(start(self.first, "year"), -2, Unit::Year);
        let to = moved_start(start(self.until, "year"), 3, Unit::Year) - 1;
        let values = super::values_between(from, to, levels, &[condition], session)?;
        let inside = truths(&values[0])?;
        let asked = runs(inside.iter().enumerate().filter(|(_, inside)| **inside).map(|(row, _)| from + row as i32));
        let [(first, last)] = asked[..] else {
            return Err(Error::new(
                Code::TimeContext,
                "a prior period without a time column among the grouping columns needs one range of days",
            ));
        };
        let first = first.max(if first == from { self.first } else { first });
        let last = if last == to { limit } else { last };
        if first > last {
            return Ok((self.first, self.first - 1));
        }
        let count = |unit: Unit| {
            let starts = start(first, unit.name()) == first && start(last + 1, unit.name()) == last + 1;
            starts.then(|| (1..).find(|count| moved_start(first, *count, unit) > last)).flatten()
        };
        let coarsest = Unit::ALL.into_iter().rev().find_map(|unit| Some((count(unit)?, unit)));
        let (count, unit) = coarsest.unwrap_or((last - first + 1, Unit::Day));
        Ok((moved_start(first, -count, unit), first - 1))
    }
}

/// What the prior period is the one before of.
enum Prior {
    None,
    Unit(Unit),
    Range(Run),
}

impl Moved {
    /// All pairs of a group and a day that feeds it.
    pub(in crate::cube) fn feeds(&self) -> Vec<Feed> {
        let of = |(n, group): (usize, &Group)| {
            group.days.iter().map(move |(day, weight)| (n, *day, *weight)).collect::<Vec<_>>()
        };
        self.groups.iter().enumerate().flat_map(of).collect()
    }

    /// Which covered days are read.
    pub(in crate::cube) fn read(&self, covered: usize) -> Vec<bool> {
        let mut read = vec![false; covered];
        for (day, _) in self.groups.iter().flat_map(|group| &group.days) {
            if let Some(row) = usize::try_from(day - self.first).ok().and_then(|row| read.get_mut(row)) {
                *row = true;
            }
        }
        read
    }

    /// The pairs as a table: the day, the groups' values under the names of the set's keys, and the columns of date map 0.
    pub(in crate::cube) fn table(&self, feeds: &[Feed]) -> Result<Arc<dyn TableProvider>> {
        let (mut fields, mut arrays) = self.group_columns(feeds.iter().map(|(group, ..)| *group))?;
        let mut add = |name: String, array: ArrayRef| {
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        };
        add(super::DAY.to_owned(), Arc::new(feeds.iter().map(|(_, day, _)| Some(*day)).collect::<Date32Array>()));
        add(close_column(0), Arc::new(BooleanArray::from(vec![true; feeds.len()])));
        add(weight_column(0), Arc::new(feeds.iter().map(|(.., weight)| Some(*weight)).collect::<Int64Array>()));
        let length = feeds.iter().map(|(group, ..)| Some(self.groups[*group].length));
        add(length_column(0), Arc::new(length.collect::<Int64Array>()));
        memory(fields, arrays)
    }

    /// The values of groups, a column for each grouping expression over time.
    pub(in crate::cube) fn group_columns(
        &self,
        groups: impl Iterator<Item = usize>,
    ) -> Result<(Vec<Field>, Vec<ArrayRef>)> {
        let places: UInt32Array = groups.map(|group| u32::try_from(group).ok()).collect();
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for (n, values) in &self.keys {
            let taken =
                take(values, &places, None).map_err(|error| Error::internal("cannot build a date map", error))?;
            fields.push(Field::new(group_column(*n), taken.data_type().clone(), true));
            arrays.push(taken);
        }
        Ok((fields, arrays))
    }

    /// For each group whose days the facts do not reach, its values by position among the set's keys.
    pub(in crate::cube) fn unknown(&self) -> Result<Vec<Vec<(usize, ScalarValue)>>> {
        let unknown = self.groups.iter().enumerate().filter(|(_, group)| !group.known);
        unknown
            .map(|(place, _)| {
                let value = |(n, values): &(usize, ArrayRef)| Ok((*n, ScalarValue::try_from_array(values, place)?));
                self.keys.iter().map(value).collect::<datafusion::error::Result<_>>()
            })
            .collect::<datafusion::error::Result<_>>()
            .map_err(crate::cube::internal)
    }

    /// Whether days that feed a group are all that a period holds of what the time rule would read in it: only then does
    /// the period's stored state stand for them.
    pub(in crate::cube) fn is_whole(&self, coverage: &Coverage, unit: &str, days: &[(i32, i64)]) -> bool {
        let Some((day, _)) = days.first() else { return false };
        let begins = start(*day, unit);
        let limit = if self.rule == Days::All { coverage.until } else { coverage.last };
        let held = || (begins.max(coverage.first)..=limit).take_while(|day| start(*day, unit) == begins);
        let snapshots = || held().filter(|day| coverage.snapshot_days[(day - coverage.first) as usize]);
        match self.rule {
            Days::All => held().count() == days.len(),
            Days::Close => snapshots().last() == Some(*day),
            Days::Closed => snapshots().count() == days.len(),
            Days::Daily { .. } => {
                let weight: i64 = days.iter().map(|(_, weight)| weight).sum();
                snapshots().count() == days.len() && i64::try_from(held().count()) == Ok(weight)
            }
        }
    }
}

/// The map's column for a key of the set.
pub(in crate::cube) fn group_column(n: usize) -> String {
    format!("key_{n}")
}

/// Days in order as runs.
fn runs(days: impl Iterator<Item = i32>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for day in days {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    runs
}

/// A day moved by whole months; a day that its month lacks becomes the month's last.
fn months(day: i32, count: i32) -> i32 {
    shifted(day, i64::from(count).months())
}

fn shifted(day: i32, span: Span) -> i32 {
    date(day).checked_add(span).map_or(day, number)
}

fn ends_month(day: i32) -> bool {
    let day: Date = date(day);
    day == day.last_of_month()
}

fn a_year_earlier((first, last): Run) -> Run {
    let ends = match months(last, -12) {
        moved if ends_month(last) => number(date(moved).last_of_month()),
        moved => moved,
    };
    (if first == last { ends } else { months(first, -12) }, ends)
}

/// The start of a unit, some units on.
fn moved_start(begins: i32, count: i32, unit: Unit) -> i32 {
    match unit {
        Unit::Day => begins + count,
        Unit::Week => begins + 7 * count,
        Unit::Month => months(begins, count),
        Unit::Quarter => months(begins, 3 * count),
        Unit::Year => months(begins, 12 * count),
    }
}

/// The first of the days that some units up to a day hold.
fn back_to(last: i32, count: i32, unit: Unit) -> i32 {
    let of_months = |count: i32| match ends_month(last) {
        true => months(number(date(last).first_of_month()), 1 - count),
        false => months(last, -count) + 1,
    };
    match unit {
        Unit::Day => last - count + 1,
        Unit::Week => last - 7 * count + 1,
        Unit::Month => of_months(count),
        Unit::Quarter => of_months(3 * count),
        Unit::Year => of_months(12 * count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        number(text.parse::<Date>().unwrap())
    }

    #[test]
    fn a_year_back_keeps_the_ends_of_months() {
        let moved = |from: &str, to: &str| {
            let (from, to) = a_year_earlier((day(from), day(to)));
            format!("{} {}", date(from), date(to))
        };
        assert_eq!(moved("2025-02-01", "2025-02-28"), "2024-02-01 2024-02-29");
        assert_eq!(moved("2024-02-01", "2024-02-29"), "2023-02-01 2023-02-28");
        assert_eq!(moved("2024-02-29", "2024-02-29"), "2023-02-28 2023-02-28");
        assert_eq!(moved("2025-02-28", "2025-02-28"), "2024-02-29 2024-02-29");
        assert_eq!(moved("2024-02-28", "2024-02-28"), "2023-02-28 2023-02-28");
        assert_eq!(moved("2026-03-10", "2026-10-20"), "2025-03-10 2025-10-20");
    }

    #[test]
    fn the_last_units_end_on_the_day_itself() {
        let from = |last: &str, count, unit| date(back_to(day(last), count, unit)).to_string();
        assert_eq!(from("2026-10-31", 3, Unit::Month), "2026-08-01");
        assert_eq!(from("2026-02-28", 1, Unit::Month), "2026-02-01");
        assert_eq!(from("2026-10-20", 1, Unit::Month), "2026-09-21");
        assert_eq!(from("2026-03-31", 2, Unit::Quarter), "2025-10-01");
        assert_eq!(from("2026-03-31", 1, Unit::Year), "2025-04-01");
        assert_eq!(from("2026-03-31", 7, Unit::Day), "2026-03-25");
        assert_eq!(from("2026-03-31", 2, Unit::Week), "2026-03-18");
    }
}
