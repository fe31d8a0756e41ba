//! A question as a value: written as SQL here, answered row by row in `evaluate`. Random ones are drawn from the surface of
//! SQL that cubes offer, mostly aimed at one rollup, so that it is often met exactly and often missed by a hair.

use super::cubes::{CUBES, Cube, Gives, Kind, Only, Rollup, Snapshot};
use super::data::{AS_OF, BRANCHES, Dice, EARLIEST, FIRST, LAST, civil, date, decimal, iso, month_end, weekday};

// ---- values and expressions

/// A value of a cell or literal. The order within a kind is SQL's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    Integer(i128),
    /// Unscaled, and its scale.
    Decimal(i128, u32),
    Text(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// A date that SQL writes as text.
    Written(i32),
    /// Seconds since 1970-01-01.
    Moment(i64),
}

pub(crate) const NOON: i64 = 43_200;

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn midnight(day: i32) -> Self {
        Self::Moment(i64::from(day) * 86_400)
    }

    fn sql(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Flag(flag) => flag.to_string().to_uppercase(),
            Self::Integer(value) => value.to_string(),
            Self::Decimal(value, scale) => decimal(*value, *scale),
            Self::Text(text) => format!("'{text}'"),
            Self::Date(day) => format!("DATE '{}'", iso(*day)),
            Self::Written(day) => format!("'{}'", iso(*day)),
            Self::Moment(_) => format!("TIMESTAMP '{}'", self.shown().replace('T', " ")),
        }
    }

    /// As the server's text shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => text.clone(),
            Self::Date(day) | Self::Written(day) => iso(*day),
            Self::Moment(seconds) => {
                let (day, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
                let day = iso(i32::try_from(day).unwrap());
                format!("{day}T{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
            }
            other => other.sql(),
        }
    }
}

/// A time level, by its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The view's column.
    fn column(self) -> &'static str {
        match self {
            Self::Day => "booked_on",
            other => other.word(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// First day of the period around a day.
    pub(crate) fn start(self, day: i32) -> i32 {
        let (year, month, _) = civil(day);
        match self {
            Self::Day => day,
            Self::Week => day - weekday(day),
            Self::Month => date(year, month, 1),
            Self::Quarter => date(year, (month - 1) / 3 * 3 + 1, 1),
            Self::Year => date(year, 1, 1),
        }
    }

    /// Last day of the period around a day.
    pub(crate) fn end(self, day: i32) -> i32 {
        let start = self.start(day);
        match self {
            Self::Day => day,
            Self::Week => start + 6,
            Self::Month => month_end(start),
            Self::Quarter => month_end(month_end(month_end(start) + 1) + 1),
            Self::Year => date(civil(day).0, 12, 31),
        }
    }

    /// The levels whose periods are made of whole periods of this one.
    fn above(self) -> &'static [Self] {
        match self {
            Self::Day => &Self::ALL,
            Self::Week => &[Self::Week],
            Self::Month => &[Self::Month, Self::Quarter, Self::Year],
            Self::Quarter => &[Self::Quarter, Self::Year],
            Self::Year => &[Self::Year],
        }
    }
}

/// A part of a date, by its word in `EXTRACT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Year,
    Quarter,
    Month,
    /// Of the month.
    Day,
    /// Sunday is 0.
    DayOfWeek,
    DayOfYear,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Day => "day",
            Self::DayOfWeek => "dow",
            Self::DayOfYear => "doy",
        }
    }

    pub(crate) fn of(self, day: i32) -> i128 {
        let (year, month, of_month) = civil(day);
        i128::from(match self {
            Self::Year => year,
            Self::Quarter => (month - 1) / 3 + 1,
            Self::Month => month,
            Self::Day => of_month,
            Self::DayOfWeek => (weekday(day) + 1) % 7,
            Self::DayOfYear => day - date(year, 1, 1) + 1,
        })
    }
}

/// An expression over one member or time level. Members are places in the cube's list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Member(usize),
    Upper(usize),
    /// `coalesce(m, '-')`
    Coalesce(usize),
    /// `m IS NULL`
    IsNull(usize),
    Level(Unit),
    /// `date_trunc` to the first unit, of the level of the second.
    Trunc(Unit, Unit),
    /// The same as a date.
    TruncDate(Unit, Unit),
    Part(Part, Unit),
}

impl Scalar {
    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Self::Level(_) | Self::Trunc(..) | Self::TruncDate(..) | Self::Part(..))
    }

    pub(crate) fn column(&self, cube: &Cube) -> &'static str {
        match self {
            Self::Member(place) | Self::Upper(place) | Self::Coalesce(place) | Self::IsNull(place) => {
                cube.members[*place].name
            }
            Self::Level(unit) | Self::Trunc(_, unit) | Self::TruncDate(_, unit) | Self::Part(_, unit) => unit.column(),
        }
    }

    fn sql(&self, cube: &Cube, prefix: &str) -> String {
        let column = format!("{prefix}{}", self.column(cube));
        match self {
            Self::Member(_) | Self::Level(_) => column,
            Self::Upper(_) => format!("upper({column})"),
            Self::Coalesce(_) => format!("coalesce({column}, '-')"),
            Self::IsNull(_) => format!("{column} IS NULL"),
            Self::Trunc(unit, _) => format!("date_trunc('{}', {column})", unit.word()),
            Self::TruncDate(unit, _) => format!("CAST(date_trunc('{}', {column}) AS DATE)", unit.word()),
            Self::Part(part, _) => format!("EXTRACT({} FROM {column})", part.word().to_uppercase()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Op {
    fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// A condition. The last part of some says whether it is negated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cond {
    Is(Scalar, Op, Value),
    Distinct(Scalar, Value),
    In(Scalar, Vec<Value>, bool),
    Null(Scalar, bool),
    /// `%` and `_`.
    Like(Scalar, String, bool),
    Between(Scalar, Value, Value, bool),
    /// A member that is true or false.
    Flag(usize, bool),
    Any(Vec<Cond>),
    Not(Box<Cond>),
}

impl Cond {
    fn scalars<'a>(&'a self, found: &mut Vec<&'a Scalar>) {
        match self {
            Self::Is(scalar, ..)
            | Self::Distinct(scalar, _)
            | Self::In(scalar, ..)
            | Self::Null(scalar, _)
            | Self::Like(scalar, ..)
            | Self::Between(scalar, ..) => found.push(scalar),
            Self::Flag(..) => {}
            Self::Any(parts) => parts.iter().for_each(|part| part.scalars(found)),
            Self::Not(part) => part.scalars(found),
        }
    }

    fn flags(&self, found: &mut Vec<usize>) {
        match self {
            Self::Flag(place, _) => found.push(*place),
            Self::Any(parts) => parts.iter().for_each(|part| part.flags(found)),
            Self::Not(part) => part.flags(found),
            _ => {}
        }
    }

    /// Whether it is over time only or over members only; nothing when it mixes them.
    pub(crate) fn is_time(&self) -> Option<bool> {
        let (mut scalars, mut flags) = (Vec::new(), Vec::new());
        self.scalars(&mut scalars);
        self.flags(&mut flags);
        let time = scalars.iter().any(|scalar| scalar.is_time());
        let other = !flags.is_empty() || scalars.iter().any(|scalar| !scalar.is_time());
        if time && other { None } else { Some(time) }
    }

    fn sql(&self, cube: &Cube, prefix: &str) -> String {
        let scalar = |scalar: &Scalar| scalar.sql(cube, prefix);
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match self {
            Self::Is(one, op, value) => format!("{} {} {}", scalar(one), op.sql(), value.sql()),
            // In parentheses: the parser takes everything after FROM, an AND too, for the right side.
            Self::Distinct(one, value) => format!("({} IS DISTINCT FROM {})", scalar(one), value.sql()),
            Self::In(one, values, negated) => {
                let values = values.iter().map(Value::sql).collect::<Vec<_>>().join(", ");
                format!("{} {}IN ({values})", scalar(one), not(negated))
            }
            Self::Null(one, negated) => format!("{} IS {}NULL", scalar(one), not(negated)),
            Self::Like(one, pattern, negated) => format!("{} {}LIKE '{pattern}'", scalar(one), not(negated)),
            Self::Between(one, low, high, negated) => {
                format!("{} {}BETWEEN {} AND {}", scalar(one), not(negated), low.sql(), high.sql())
            }
            Self::Flag(place, negated) => format!("{}{prefix}{}", not(negated), cube.members[*place].name),
            Self::Any(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| part.sql(cube, prefix)).collect();
                format!("({})", parts.join(" OR "))
            }
            Self::Not(part) => format!("NOT ({})", part.sql(cube, prefix)),
        }
    }
}

/// The days from one to another, both included.
pub(crate) fn days(from: i32, to: i32) -> Cond {
    Cond::Between(Scalar::Level(Unit::Day), Value::Date(from), Value::Date(to), false)
}

/// One period of a level.
pub(crate) fn period(unit: Unit, day: i32) -> Cond {
    Cond::Is(Scalar::Level(unit), Op::Equal, Value::Date(unit.start(day)))
}

fn all(conditions: &[Cond], cube: &Cube, prefix: &str) -> String {
    conditions.iter().map(|condition| condition.sql(cube, prefix)).collect::<Vec<_>>().join(" AND ")
}

// ---- calls

/// A column of the answer that is no key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) what: What,
    /// The call's own conditions.
    pub(crate) filter: Vec<Cond>,
    pub(crate) form: Form,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// By its declared aggregate, or `MEASURE` without one.
    Measure(usize),
    /// By `MEASURE` or `AGG`.
    Named(usize, &'static str),
    /// `COUNT(*)`, `COUNT(1)`
    Rows(&'static str),
    /// `SUM(1)`: null without a row.
    SumOne,
    Count(Scalar),
    CountDistinct(Scalar),
    Min(Scalar),
    Max(Scalar),
    /// An ordinary aggregate over the row values of an additive measure.
    OfRows(Ordinary, usize),
    /// `GROUPING` of keys by place.
    Grouping(Vec<usize>),
    /// A call that is refused, with the code.
    Wrong(String, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ordinary {
    Count,
    Min,
    Max,
    /// The engine's own average: four more decimals, the rest cut off.
    Mean,
    /// `SUM(m * 2)`
    Doubled,
}

/// How a call's own conditions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `FILTER (WHERE ...)`
    Filter,
    /// `CASE WHEN ... THEN m END`
    Case,
    /// `CASE WHEN ... THEN m ELSE NULL END`
    CaseNull,
}

impl Call {
    pub(crate) fn of(what: What) -> Self {
        Self { what, filter: Vec::new(), form: Form::Filter }
    }

    pub(crate) fn only(mut self, filter: Cond, form: Form) -> Self {
        self.filter.push(filter);
        self.form = form;
        self
    }

    pub(crate) fn measure(&self) -> Option<usize> {
        match self.what {
            What::Measure(place) | What::Named(place, _) => Some(place),
            _ => None,
        }
    }

    fn columns(&self, question: &Question, into: &mut Vec<&'static str>) {
        let cube = question.cube;
        match &self.what {
            What::Measure(place) | What::Named(place, _) | What::OfRows(_, place) => {
                into.push(cube.measures[*place].name);
            }
            What::Count(scalar) | What::CountDistinct(scalar) | What::Min(scalar) | What::Max(scalar) => {
                into.push(scalar.column(cube));
            }
            _ => {}
        }
        columns_of(&self.filter, cube, into);
    }

    fn sql(&self, question: &Question, prefix: &str) -> String {
        let cube = question.cube;
        let by_case = self.form != Form::Filter && !self.filter.is_empty() && self.measure().is_some();
        let conditions = all(&self.filter, cube, prefix);
        let measure = |place: usize| {
            let name = format!("{prefix}{}", cube.measures[place].name);
            let otherwise = if self.form == Form::CaseNull { " ELSE NULL" } else { "" };
            if by_case { format!("CASE WHEN {conditions} THEN {name}{otherwise} END") } else { name }
        };
        let scalar = |scalar: &Scalar| scalar.sql(cube, prefix);
        let call = match &self.what {
            What::Measure(place) => match cube.measures[*place].declared {
                None => format!("MEASURE({})", measure(*place)),
                Some("COUNT DISTINCT") => format!("COUNT(DISTINCT {})", measure(*place)),
                Some(aggregate) => format!("{aggregate}({})", measure(*place)),
            },
            What::Named(place, name) => format!("{name}({})", measure(*place)),
            What::Rows(text) => (*text).to_owned(),
            What::SumOne => "SUM(1)".to_owned(),
            What::Count(one) => format!("COUNT({})", scalar(one)),
            What::CountDistinct(one) => format!("COUNT(DISTINCT {})", scalar(one)),
            What::Min(one) => format!("MIN({})", scalar(one)),
            What::Max(one) => format!("MAX({})", scalar(one)),
            What::OfRows(ordinary, place) => {
                let name = measure(*place);
                match ordinary {
                    Ordinary::Count => format!("COUNT({name})"),
                    Ordinary::Min => format!("MIN({name})"),
                    Ordinary::Max => format!("MAX({name})"),
                    Ordinary::Mean => format!("AVG({name})"),
                    Ordinary::Doubled => format!("SUM({name} * 2)"),
                }
            }
            What::Grouping(places) => {
                let keys: Vec<String> = places.iter().map(|place| scalar(&question.keys[*place])).collect();
                format!("GROUPING({})", keys.join(", "))
            }
            What::Wrong(text, _) => text.replace('@', prefix),
        };
        if self.filter.is_empty() || by_case { call } else { format!("{call} FILTER (WHERE {conditions})") }
    }
}

fn columns_of(conditions: &[Cond], cube: &Cube, into: &mut Vec<&'static str>) {
    let (mut scalars, mut flags) = (Vec::new(), Vec::new());
    for condition in conditions {
        condition.scalars(&mut scalars);
        condition.flags(&mut flags);
    }
    into.extend(scalars.into_iter().map(|scalar| scalar.column(cube)));
    into.extend(flags.into_iter().map(|place| cube.members[place].name));
}

// ---- the question

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    HeadOffice,
    /// Head office, of a branch's schema.
    Schema(&'static str),
    Branch(&'static str),
}

/// When it is asked: a kept snapshot of the oracle's bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// After the first batch: no rollup has been built.
    Unbuilt,
    /// Rollups of the first batch.
    Fresh,
    /// After the second batch: rollups of the first one, stale in some partitions and missing in others.
    Stale,
    /// Refreshed again.
    Renewed,
}

impl Moment {
    /// Which batches are visible: 0 or 1.
    pub(crate) fn state(self) -> usize {
        usize::from(matches!(self, Self::Stale | Self::Renewed))
    }
}

/// Which versions of members it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Each fact's own.
    AsWas,
    /// Those of the snapshot's as-of date.
    AsIs,
    /// Those of a day.
    On(i32),
}

impl Reading {
    /// As the server writes it.
    pub(crate) fn told(self) -> String {
        match self {
            Self::AsWas => "as_was".to_owned(),
            Self::AsIs => "as_is".to_owned(),
            Self::On(day) => iso(day),
        }
    }
}

/// Before anything moves; the day before a sub-branch does, in the middle of a month, and the day itself; a move on the
/// first of a month; such a day of the second batch, and the day before it.
const DAYS: [i32; 6] =
    [date(2023, 1, 1), date(2024, 2, 14), date(2024, 2, 15), date(2024, 3, 1), date(2024, 5, 31), date(2024, 6, 1)];

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Grouping {
    Plain,
    Rollup,
    Cube,
    /// Places in the keys.
    Sets(Vec<Vec<usize>>),
}

/// What stands between the cube's view and the aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nesting {
    None,
    /// `FROM (SELECT * FROM cube WHERE ...) AS s`
    Star,
    /// A sub-select that renames every column it gives.
    Renamed,
    Cte,
}

#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) cube: &'static Cube,
    pub(crate) asker: Asker,
    pub(crate) moment: Moment,
    /// What it asks for; the default of whom it asks unless it does.
    pub(crate) reading: Option<Reading>,
    pub(crate) keys: Vec<Scalar>,
    pub(crate) grouping: Grouping,
    pub(crate) calls: Vec<Call>,
    pub(crate) filters: Vec<Cond>,
    /// So many of the filters stand in the sub-select, when there is one.
    pub(crate) inner: usize,
    pub(crate) having: Option<(Call, Op, Value)>,
    pub(crate) nesting: Nesting,
    /// The whole stands in another `SELECT * FROM (...)`.
    pub(crate) wrapped: bool,
    /// `SELECT DISTINCT` of the keys, without calls.
    pub(crate) distinct: bool,
    pub(crate) limit: Option<usize>,
}

impl Question {
    /// Of head office, when all is refreshed, with members as they were: so rollups hold them, and any may answer.
    pub(crate) fn of(cube: &'static Cube) -> Self {
        Self {
            cube,
            asker: Asker::HeadOffice,
            moment: Moment::Renewed,
            reading: Some(Reading::AsWas),
            keys: Vec::new(),
            grouping: Grouping::Plain,
            calls: Vec::new(),
            filters: Vec::new(),
            inner: 0,
            having: None,
            nesting: Nesting::None,
            wrapped: false,
            distinct: false,
            limit: None,
        }
    }

    pub(crate) fn at(mut self, moment: Moment) -> Self {
        self.moment = moment;
        self
    }

    pub(crate) fn by(mut self, asker: Asker) -> Self {
        self.asker = asker;
        self
    }

    pub(crate) fn reading(mut self, reading: Option<Reading>) -> Self {
        self.reading = reading;
        self
    }

    /// What is read: unasked, head office reads members as they are, and a branch its own files as it booked them.
    pub(crate) fn read(&self) -> Reading {
        self.reading.unwrap_or(match self.asker {
            Asker::HeadOffice => Reading::AsIs,
            Asker::Schema(_) | Asker::Branch(_) => Reading::AsWas,
        })
    }

    /// The day as of which members are read; none where it is each fact's own.
    pub(crate) fn members_on(&self) -> Option<i32> {
        match self.read() {
            Reading::AsWas => None,
            Reading::AsIs => Some(AS_OF[self.moment.state()]),
            Reading::On(day) => Some(day),
        }
    }

    /// Keys by name of a member or time level.
    pub(crate) fn keys(mut self, names: &[&str]) -> Self {
        let cube = self.cube;
        self.keys.extend(names.iter().map(|name| {
            let level = Unit::ALL.into_iter().find(|unit| unit.column() == *name);
            level.map_or_else(|| cube.member(name), Scalar::Level)
        }));
        self
    }

    pub(crate) fn key(mut self, key: Scalar) -> Self {
        self.keys.push(key);
        self
    }

    /// Measures by name, each called as declared.
    pub(crate) fn measures(mut self, names: &[&str]) -> Self {
        let cube = self.cube;
        self.calls.extend(names.iter().map(|name| cube.call(name)));
        self
    }

    pub(crate) fn call(mut self, what: What) -> Self {
        self.calls.push(Call::of(what));
        self
    }

    pub(crate) fn filter(mut self, condition: Cond) -> Self {
        self.filters.push(condition);
        self
    }

    /// A text member's value.
    pub(crate) fn is(self, member: &str, value: &str) -> Self {
        let member = self.cube.member(member);
        self.filter(Cond::Is(member, Op::Equal, Value::text(value)))
    }

    pub(crate) fn grouped(mut self, grouping: Grouping) -> Self {
        self.grouping = grouping;
        self
    }

    /// Its grouping sets as places in the keys.
    pub(crate) fn sets(&self) -> Vec<Vec<usize>> {
        let all = self.keys.len();
        match &self.grouping {
            Grouping::Plain => vec![(0..all).collect()],
            Grouping::Rollup => (0..=all).rev().map(|length| (0..length).collect()).collect(),
            Grouping::Cube => {
                (0..1_usize << all).map(|mask| (0..all).filter(|place| mask & (1 << place) != 0).collect()).collect()
            }
            Grouping::Sets(sets) => sets.clone(),
        }
    }

    /// Whether the rows have one order.
    pub(crate) fn is_ordered(&self) -> bool {
        self.grouping == Grouping::Plain && !self.keys.is_empty()
    }

    pub(crate) fn sql(&self) -> String {
        let cube = self.cube;
        let view = match self.asker {
            Asker::Schema(branch) => format!("{branch}.{}", cube.name),
            Asker::HeadOffice | Asker::Branch(_) => cube.name.to_owned(),
        };
        let inner = if self.nesting == Nesting::None { 0 } else { self.inner.min(self.filters.len()) };
        let (inside, outside) = self.filters.split_at(inner);
        let below = if inside.is_empty() { String::new() } else { format!(" WHERE {}", all(inside, cube, "")) };
        let (with, source, prefix) = match self.nesting {
            Nesting::None => (String::new(), view, ""),
            Nesting::Star => (String::new(), format!("(SELECT * FROM {view}{below}) AS s"), "s."),
            Nesting::Renamed => {
                let columns: Vec<String> =
                    self.columns(outside).iter().map(|column| format!("{column} AS r_{column}")).collect();
                (String::new(), format!("(SELECT {} FROM {view}{below}) AS s", columns.join(", ")), "r_")
            }
            Nesting::Cte => (format!("WITH w AS (SELECT * FROM {view}{below}) "), "w AS x".to_owned(), "x."),
        };
        let keys: Vec<String> = self.keys.iter().map(|key| key.sql(cube, prefix)).collect();
        let mut columns: Vec<String> =
            keys.iter().enumerate().map(|(place, key)| format!("{key} AS k{place}")).collect();
        let calls = self.calls.iter().enumerate();
        columns.extend(calls.map(|(place, call)| format!("{} AS c{place}", call.sql(self, prefix))));
        let mut sql =
            format!("SELECT {}{} FROM {source}", if self.distinct { "DISTINCT " } else { "" }, columns.join(", "));
        if !outside.is_empty() {
            sql.push_str(&format!(" WHERE {}", all(outside, cube, prefix)));
        }
        if !self.distinct && !self.keys.is_empty() {
            let list = keys.join(", ");
            sql.push_str(&match &self.grouping {
                Grouping::Plain => format!(" GROUP BY {list}"),
                Grouping::Rollup => format!(" GROUP BY ROLLUP ({list})"),
                Grouping::Cube => format!(" GROUP BY CUBE ({list})"),
                Grouping::Sets(sets) => {
                    let of =
                        |set: &Vec<usize>| set.iter().map(|place| keys[*place].as_str()).collect::<Vec<_>>().join(", ");
                    let sets: Vec<String> = sets.iter().map(|set| format!("({})", of(set))).collect();
                    format!(" GROUP BY GROUPING SETS ({})", sets.join(", "))
                }
            });
        }
        if let Some((call, op, value)) = &self.having {
            sql.push_str(&format!(" HAVING {} {} {}", call.sql(self, prefix), op.sql(), value.sql()));
        }
        if self.wrapped {
            sql = format!("SELECT * FROM ({sql}) AS q");
        }
        if self.is_ordered() {
            let order: Vec<String> = (0..keys.len()).map(|place| format!("k{place} NULLS LAST")).collect();
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
            if let Some(limit) = self.limit {
                sql.push_str(&format!(" LIMIT {limit}"));
            }
        }
        format!("{with}{sql}")
    }

    /// The view's columns that stand above a sub-select; one at least.
    fn columns(&self, outside: &[Cond]) -> Vec<&'static str> {
        let mut columns: Vec<&'static str> = self.keys.iter().map(|key| key.column(self.cube)).collect();
        for call in self.calls.iter().chain(self.having.iter().map(|(call, ..)| call)) {
            call.columns(self, &mut columns);
        }
        columns_of(outside, self.cube, &mut columns);
        columns.push(Unit::Day.column());
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Questions that ask for one thing less: what a failing one is made smaller by.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            let grouping_fits = smaller.calls.iter().all(|call| match &call.what {
                What::Grouping(places) => places.iter().all(|place| *place < smaller.keys.len()),
                _ => true,
            });
            let sets_fit = match &smaller.grouping {
                Grouping::Sets(sets) => sets.iter().flatten().all(|place| *place < smaller.keys.len()),
                Grouping::Plain => true,
                Grouping::Rollup | Grouping::Cube => !smaller.keys.is_empty(),
            };
            if grouping_fits && sets_fit && smaller.keys.len() + smaller.calls.len() > 0 {
                found.push(smaller);
            }
        };
        add(&|question| question.nesting = Nesting::None);
        add(&|question| (question.wrapped, question.limit) = (false, None));
        add(&|question| question.having = None);
        add(&|question| {
            question.grouping = Grouping::Plain;
            question.calls.retain(|call| !matches!(call.what, What::Grouping(_)));
        });
        for place in 0..self.filters.len() {
            add(&|question| _ = question.filters.remove(place));
        }
        for place in 0..self.calls.len() {
            add(&|question| _ = question.calls.remove(place));
            if !self.calls[place].filter.is_empty() {
                add(&|question| question.calls[place].filter.clear());
            }
        }
        if !self.keys.is_empty() {
            add(&|question| _ = question.keys.pop());
            if self.grouping == Grouping::Plain {
                add(&|question| _ = question.keys.remove(0));
            }
        }
        if self.asker != Asker::HeadOffice {
            add(&|question| (question.reading, question.asker) = (Some(question.read()), Asker::HeadOffice));
        }
        add(&|question| question.reading = None);
        // Equal to the question itself when there was nothing to take away.
        let own = (self.sql(), self.asker, self.reading);
        found.retain(|smaller| (smaller.sql(), smaller.asker, smaller.reading) != own);
        found
    }
}

// ---- random questions

/// The question of a seed.
pub(crate) fn random(seed: u64) -> Question {
    let mut dice = Dice::new(seed);
    let cube = dice.pick(&CUBES);
    let aim = if dice.percent(80) { Some(&cube.rollups[dice.below(cube.rollups.len())]) } else { None };
    Draw { cube, aim, dice }.question()
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split(' ').collect()
}

/// A question in the making.
struct Draw {
    cube: &'static Cube,
    /// The rollup that it is aimed at.
    aim: Option<&'static Rollup>,
    dice: Dice,
}

impl Draw {
    fn question(mut self) -> Question {
        let mut question = Question::of(self.cube);
        question.moment = self.dice.weighted(&[
            (Moment::Unbuilt, 5),
            (Moment::Fresh, 25),
            (Moment::Stale, 40),
            (Moment::Renewed, 30),
        ]);
        let branch = self.dice.pick(&BRANCHES);
        question.asker =
            self.dice.weighted(&[(Asker::HeadOffice, 60), (Asker::Schema(branch), 12), (Asker::Branch(branch), 28)]);
        for _ in 0..self.dice.weighted(&[(0, 15), (1, 35), (2, 35), (3, 15)]) {
            let key = self.key();
            // Two spellings of one key are the planner's business, and not what is asked here.
            if question.keys.iter().all(|known| known.column(self.cube) != key.column(self.cube)) {
                question.keys.push(key);
            }
        }
        self.calls(&mut question);
        self.filters(&mut question);
        if !question.keys.is_empty() && self.dice.percent(25) {
            self.group(&mut question);
        }
        if question.grouping == Grouping::Plain && !question.keys.is_empty() && self.dice.percent(6) {
            question.distinct = true;
            question.calls.clear();
        }
        if !question.distinct && self.dice.percent(15) {
            question.having = Some(self.having());
        }
        question.nesting =
            self.dice.weighted(&[(Nesting::None, 55), (Nesting::Star, 15), (Nesting::Renamed, 15), (Nesting::Cte, 15)]);
        question.inner = self.dice.below(3);
        question.wrapped = self.dice.percent(10);
        if self.dice.percent(8) {
            question.limit = Some(1 + self.dice.below(5));
        }
        if question.keys.is_empty() && question.calls.is_empty() {
            question.calls.push(Call::of(What::Rows("COUNT(*)")));
        }
        if self.dice.percent(2) {
            self.wrong(&mut question);
        }
        // Drawn last, so that it changes nothing else of a seed's question.
        let day = Reading::On(self.dice.pick(&DAYS));
        question.reading =
            self.dice.weighted(&[(None, 56), (Some(Reading::AsWas), 16), (Some(Reading::AsIs), 10), (Some(day), 18)]);
        question
    }

    fn member(&mut self) -> usize {
        match self.aim {
            Some(rollup) if self.dice.percent(85) => self.cube.place(self.dice.pick(&words(rollup.members))),
            _ => {
                // Members with many values make long answers and little else.
                let place = self.dice.below(self.cube.members.len());
                let many = matches!(self.cube.members[place].name, "client_id" | "account_no" | "holding_no");
                if many && self.dice.percent(70) { self.cube.place("outlet") } else { place }
            }
        }
    }

    /// A time level, mostly one that the rollup can give.
    fn unit(&mut self) -> Unit {
        let units: &[Unit] = match self.aim {
            Some(rollup) if self.dice.percent(85) => rollup.time.above(),
            _ if self.cube.snapshot == Some(Snapshot::MonthEnd) && self.dice.percent(80) => Unit::Month.above(),
            _ => &Unit::ALL,
        };
        self.dice.pick(units)
    }

    /// A level that a unit can be computed from.
    fn under(&mut self, unit: Unit) -> Unit {
        let fitting: Vec<Unit> = Unit::ALL.into_iter().filter(|base| base.above().contains(&unit)).collect();
        if self.dice.percent(60) { Unit::Day } else { self.dice.pick(&fitting) }
    }

    fn key(&mut self) -> Scalar {
        if self.dice.percent(40) { self.time_scalar() } else { self.member_scalar() }
    }

    fn time_scalar(&mut self) -> Scalar {
        let unit = self.unit();
        let base = self.under(unit);
        match self.dice.below(10) {
            0 => Scalar::Trunc(unit, base),
            1 => Scalar::TruncDate(unit, base),
            2 => {
                let parts: &[Part] = match unit {
                    Unit::Day => &[Part::Day, Part::DayOfWeek, Part::DayOfYear],
                    Unit::Month => &[Part::Month, Part::Quarter, Part::Year],
                    Unit::Quarter => &[Part::Quarter, Part::Year],
                    Unit::Year => &[Part::Year],
                    Unit::Week => return Scalar::Level(unit),
                };
                Scalar::Part(self.dice.pick(parts), base)
            }
            _ => Scalar::Level(unit),
        }
    }

    fn member_scalar(&mut self) -> Scalar {
        let place = self.member();
        let is_text = matches!(self.cube.members[place].kind, Kind::Text(_));
        match self.dice.below(12) {
            0 if is_text => Scalar::Upper(place),
            1 if is_text => Scalar::Coalesce(place),
            2 => Scalar::IsNull(place),
            _ => Scalar::Member(place),
        }
    }

    // ---- calls

    fn calls(&mut self, question: &mut Question) {
        for _ in 0..self.dice.weighted(&[(0, 5), (1, 30), (2, 35), (3, 20), (4, 10)]) {
            let call = self.call();
            question.calls.push(call);
        }
    }

    fn measure(&mut self) -> usize {
        match self.aim {
            Some(rollup) if self.dice.percent(92) => {
                let stored = self.dice.pick(&words(rollup.measures));
                let made: Vec<usize> = (0..self.cube.measures.len())
                    .filter(|m| self.cube.measures[*m].made_of().contains(&stored))
                    .collect();
                let derived = !made.is_empty() && self.dice.percent(50);
                if derived { self.dice.pick(&made) } else { self.cube.measure(stored) }
            }
            _ => {
                let asked: Vec<usize> =
                    (0..self.cube.measures.len()).filter(|m| !self.cube.measures[*m].fails).collect();
                self.dice.pick(&asked)
            }
        }
    }

    fn call(&mut self) -> Call {
        let what = match self.dice.below(20) {
            0 => What::Rows("COUNT(*)"),
            1 => What::Rows("COUNT(1)"),
            2 => What::SumOne,
            3 => What::CountDistinct(Scalar::Member(self.member())),
            4 => What::Count(Scalar::Member(self.member())),
            5 => {
                let unit = self.unit();
                let of = if self.dice.percent(50) { Scalar::Level(unit) } else { self.comparable() };
                if self.dice.percent(50) { What::Min(of) } else { What::Max(of) }
            }
            6 => match self.additive() {
                Some(place) => {
                    let ordinary = [Ordinary::Count, Ordinary::Min, Ordinary::Max, Ordinary::Mean, Ordinary::Doubled];
                    What::OfRows(self.dice.pick(&ordinary), place)
                }
                None => What::Rows("COUNT(*)"),
            },
            7 => What::Named(self.measure(), "MEASURE"),
            8 => What::Named(self.measure(), "AGG"),
            _ => What::Measure(self.measure()),
        };
        let mut call = Call::of(what);
        if self.dice.percent(20) {
            let time = self.dice.percent(25);
            call.filter = if time { self.time_condition() } else { vec![self.member_condition()] };
            if call.measure().is_some() {
                call.form = self.dice.pick(&[Form::Filter, Form::Case, Form::CaseNull]);
            }
        }
        call
    }

    /// A member whose values can be compared with each other.
    fn comparable(&mut self) -> Scalar {
        let place = self.member();
        match self.cube.members[place].kind {
            Kind::Flag => Scalar::Level(Unit::Day),
            _ => Scalar::Member(place),
        }
    }

    fn additive(&mut self) -> Option<usize> {
        let measures = self.cube.measures.iter().enumerate();
        let additive: Vec<usize> =
            measures.filter(|(_, one)| one.row_value().is_some() && !one.fails).map(|(place, _)| place).collect();
        if additive.is_empty() { None } else { Some(self.dice.pick(&additive)) }
    }

    fn having(&mut self) -> (Call, Op, Value) {
        let op = self.dice.pick(&[Op::Greater, Op::AtLeast, Op::Less, Op::Unequal]);
        if self.dice.percent(50) {
            return (Call::of(What::Rows("COUNT(1)")), Op::Greater, Value::Integer(self.dice.pick(&[0, 0, 3, 20])));
        }
        let place = self.measure();
        let value = match self.cube.measures[place].gives {
            Gives::Date => return (Call::of(What::Rows("COUNT(*)")), op, Value::Integer(10)),
            Gives::Integer => Value::Integer(i128::from(self.dice.between(0, 20))),
            Gives::Decimal(6) => Value::Decimal(i128::from(self.dice.between(1, 200_000)), 6),
            Gives::Decimal(_) => Value::Decimal(i128::from(self.dice.between(-100_000, 10_000_000)), 2),
        };
        (Call::of(What::Measure(place)), op, value)
    }

    fn group(&mut self, question: &mut Question) {
        let keys = question.keys.len();
        question.grouping = match self.dice.below(3) {
            0 => Grouping::Rollup,
            1 if keys <= 2 => Grouping::Cube,
            _ => {
                let places: Vec<usize> = (0..keys).collect();
                let mut sets = vec![self.dice.some(&places, keys)];
                sets.push(self.dice.some(&places, keys));
                if self.dice.percent(60) {
                    sets.push(Vec::new());
                }
                sets.dedup();
                // A key that stands in no set is none of the statement's keys.
                for place in places {
                    if !sets.iter().any(|set| set.contains(&place)) {
                        sets.push(vec![place]);
                    }
                }
                Grouping::Sets(sets)
            }
        };
        if self.dice.percent(60) {
            let places: Vec<usize> = (0..keys).collect();
            question.calls.push(Call::of(What::Grouping(self.dice.some(&places, keys))));
        }
    }

    /// One call or condition that is refused, and nothing else that could be.
    fn wrong(&mut self, question: &mut Question) {
        let faults: &[(&str, &str)] = match self.cube.name {
            "balances" => &[
                ("AVG(@balance)", "MEASURE_AGGREGATE"),
                ("SUM(@cost_rate)", "MEASURE_AGGREGATE"),
                ("SUM(DISTINCT @interest)", "MEASURE_AGGREGATE"),
                ("SUM(@balance_vs_prior_year_pct)", "MEASURE_AGGREGATE"),
                ("SUM(@balance_share)", "MEASURE_AGGREGATE"),
                ("SUM(@balance) FILTER (WHERE @interest > 0)", "MEASURE_IN_WHERE"),
            ],
            "events" => &[
                ("AVG(DISTINCT @turnover)", "MEASURE_AGGREGATE"),
                ("COUNT(@clients)", "MEASURE_AGGREGATE"),
                ("AVG(@turnover_prior_year)", "MEASURE_AGGREGATE"),
                ("MAX(@turnover_rank)", "MEASURE_AGGREGATE"),
                ("COUNT(DISTINCT @clients_prior_year)", "MEASURE_AGGREGATE"),
                ("SUM(@turnover_growth)", "MEASURE_AGGREGATE"),
                ("SUM(@turnover_mean)", "MEASURE_AGGREGATE"),
                ("MEASURE(@turnover + 1)", "MEASURE_AGGREGATE"),
            ],
            _ => &[
                ("MAX(@held)", "MEASURE_AGGREGATE"),
                ("SUM(@held_average)", "MEASURE_AGGREGATE"),
                ("SUM(CASE WHEN @tier = 'gold' THEN @held ELSE 0 END)", "MEASURE_AGGREGATE"),
            ],
        };
        let (text, code) = self.dice.pick(faults);
        question.calls = vec![Call::of(What::Wrong(text.to_owned(), code))];
        question.having = None;
        question.distinct = false;
        if question.nesting == Nesting::Renamed {
            question.nesting = Nesting::Star;
        }
    }

    // ---- conditions

    fn filters(&mut self, question: &mut Question) {
        // A rollup with a condition of its own is met only by questions that ask for no more.
        let only = self.aim.and_then(|rollup| rollup.only);
        if let Some(only) = only
            && self.dice.percent(80)
        {
            question.filters.push(match only {
                Only::Is(member, value) => Cond::Is(self.cube.member(member), Op::Equal, Value::text(value)),
                Only::Since(day) => Cond::Is(Scalar::Level(Unit::Day), Op::AtLeast, Value::Date(day)),
            });
        }
        for _ in 0..self.dice.weighted(&[(0, 30), (1, 45), (2, 25)]) {
            if self.dice.percent(55) {
                let conditions = self.time_condition();
                question.filters.extend(conditions);
            } else {
                let condition = self.member_condition();
                question.filters.push(condition);
            }
        }
        if self.dice.percent(3) {
            let (mut parts, member) = (self.time_condition(), self.member_condition());
            parts.truncate(1);
            parts.push(member);
            question.filters.push(Cond::Any(parts));
        }
    }

    /// A day with facts, mostly of those that have them all.
    fn day(&mut self) -> i32 {
        let first = if self.dice.percent(25) { EARLIEST } else { FIRST };
        self.dice.day(first, LAST)
    }

    /// Conditions on time, mostly on whole periods of the rollup.
    fn time_condition(&mut self) -> Vec<Cond> {
        let aligned = match self.aim {
            Some(rollup) => self.dice.percent(75).then_some(rollup.time),
            None => self.dice.percent(40).then_some(Unit::Month),
        };
        match aligned {
            Some(unit) => self.whole(unit),
            None => vec![self.cut()],
        }
    }

    /// A range of whole periods of `base`, in one of its spellings.
    fn whole(&mut self, base: Unit) -> Vec<Cond> {
        let unit = self.dice.pick(base.above());
        let level = Scalar::Level(unit);
        let (a, b) = (self.day(), self.day());
        let (from, to) = (unit.start(a.min(b)), unit.end(a.max(b)));
        let start = Value::Date(from);
        let day = Scalar::Level(Unit::Day);
        vec![match self.dice.below(14) {
            0 | 1 => {
                return vec![Cond::Is(day.clone(), Op::AtLeast, start), Cond::Is(day, Op::Less, Value::Date(to + 1))];
            }
            2 | 3 => Cond::Between(day, start, Value::Date(to), self.dice.percent(10)),
            4 => Cond::Is(level, Op::Equal, start),
            5 => Cond::Is(level, Op::Equal, Value::Written(from)),
            6 => {
                let days = [a, b, self.day()];
                Cond::In(level, days.map(|day| Value::Date(unit.start(day))).to_vec(), self.dice.percent(15))
            }
            7 => Cond::Between(level, start, Value::Date(unit.start(to)), false),
            8 => Cond::Is(Scalar::Trunc(unit, Unit::Day), Op::Equal, start),
            9 => match unit {
                Unit::Month => Cond::In(
                    Scalar::Part(Part::Month, Unit::Day),
                    self.dice.some(&[1, 2, 3, 5, 6, 11, 12], 3).into_iter().map(Value::Integer).collect(),
                    false,
                ),
                Unit::Quarter => Cond::Is(Scalar::Part(Part::Quarter, Unit::Day), Op::Equal, Value::Integer(1)),
                Unit::Year => {
                    let year = Value::Integer(i128::from(self.dice.between(2023, 2024)));
                    Cond::Is(Scalar::Part(Part::Year, Unit::Day), Op::Equal, year)
                }
                Unit::Day | Unit::Week => Cond::Is(level, Op::AtLeast, start),
            },
            10 => Cond::Is(level, self.dice.pick(&[Op::AtLeast, Op::Less, Op::Unequal]), start),
            11 => Cond::Is(day, Op::AtMost, Value::Date(to)),
            12 => Cond::Any(vec![period(unit, a), period(unit, b)]),
            _ => Cond::Not(Box::new(period(unit, a))),
        }]
    }

    /// A range that cuts periods.
    fn cut(&mut self) -> Cond {
        let day = Scalar::Level(Unit::Day);
        let (a, b) = (self.day(), self.day());
        let (from, to) = (a.min(b), a.max(b));
        match self.dice.below(9) {
            0 => Cond::Is(day, Op::Equal, Value::Date(self.dice.pick(&[a, date(2024, 2, 29), AS_OF[0]]))),
            1 => Cond::Between(day, Value::Date(from), Value::Date(to), false),
            2 => Cond::Is(day, Op::AtLeast, Value::Date(from)),
            3 => Cond::Is(day, Op::AtMost, Value::Written(to)),
            4 => Cond::Is(day, Op::Less, Value::Moment(i64::from(to) * 86_400 + NOON)),
            5 => Cond::In(
                Scalar::Part(Part::DayOfWeek, Unit::Day),
                self.dice.some(&[0, 1, 5, 6], 2).into_iter().map(Value::Integer).collect(),
                self.dice.percent(30),
            ),
            6 => Cond::Is(Scalar::Part(Part::Day, Unit::Day), Op::AtMost, Value::Integer(15)),
            7 => Cond::Is(Scalar::Trunc(Unit::Week, Unit::Day), Op::AtLeast, Value::Date(Unit::Week.start(from))),
            _ => Cond::Any(vec![days(from, to), days(a, a)]),
        }
    }

    fn member_condition(&mut self) -> Cond {
        let place = self.member();
        let scalar = Scalar::Member(place);
        if self.dice.percent(12) {
            return Cond::Null(scalar, self.dice.percent(50));
        }
        match self.cube.members[place].kind {
            Kind::Text(values) => self.text_condition(place, values),
            Kind::Integer(limit) => {
                let value = Value::Integer(i128::from(self.dice.between(0, limit)));
                Cond::Is(scalar, self.dice.pick(&[Op::Equal, Op::Unequal, Op::Less, Op::AtLeast]), value)
            }
            Kind::Date => {
                let value = Value::Date(self.dice.day(date(2019, 6, 1), date(2023, 6, 1)));
                Cond::Is(scalar, self.dice.pick(&[Op::Less, Op::AtLeast]), value)
            }
            Kind::Flag => Cond::Flag(place, self.dice.percent(50)),
        }
    }

    fn text_condition(&mut self, place: usize, values: &'static [&'static str]) -> Cond {
        let scalar = Scalar::Member(place);
        let value = self.dice.pick(values);
        match self.dice.below(13) {
            0 => Cond::Is(scalar, Op::Unequal, Value::text(value)),
            1 | 2 => {
                let mut list: Vec<Value> = self.dice.some(values, 3).into_iter().map(Value::text).collect();
                list.push(Value::text("nobody"));
                Cond::In(scalar, list, self.dice.percent(30))
            }
            3 => Cond::In(scalar, vec![Value::text(value), Value::Null], self.dice.percent(50)),
            4 => {
                let first = value.chars().next().unwrap_or('x');
                let pattern = if self.dice.percent(50) { format!("{first}%") } else { format!("%{first}_%") };
                Cond::Like(scalar, pattern, self.dice.percent(30))
            }
            5 => Cond::Is(scalar, self.dice.pick(&[Op::Less, Op::Greater]), Value::text(value)),
            6 => {
                let other = self.dice.pick(values);
                let (low, high) = (value.min(other), value.max(other));
                Cond::Between(scalar, Value::text(low), Value::text(high), self.dice.percent(20))
            }
            7 => Cond::Distinct(scalar, Value::text(value)),
            8 => Cond::Is(Scalar::Upper(place), Op::Equal, Value::text(&value.to_uppercase())),
            9 => Cond::Is(Scalar::Coalesce(place), Op::Unequal, Value::text(value)),
            10 => {
                let second = self.member();
                Cond::Any(vec![
                    Cond::Is(scalar, Op::Equal, Value::text(value)),
                    Cond::Null(Scalar::Member(second), self.dice.percent(30)),
                ])
            }
            11 => Cond::Not(Box::new(Cond::Is(scalar, Op::Equal, Value::text(value)))),
            _ => Cond::Is(scalar, Op::Equal, Value::text(value)),
        }
    }
}
