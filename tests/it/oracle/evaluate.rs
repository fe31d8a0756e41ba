//! The plain evaluator: row by row, in whole numbers, sharing no code with the engine.
//!
//! It is written for being read, not for speed: joins are look-ups by name, every date map is a list of days, and every
//! grouping set walks all rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cubes::{
    Calculation, Cube, Derived, Gives, Input, Measure, Rule, Shift, Snapshot, State, Within, place_in_dimension,
};
use super::data::{AS_OF, Data, Fact, Office, Version, booked, civil, date, in_force, month_end};
use super::question::{Asker, Call, Cond, Op, Ordinary, Question, Scalar, Unit, Value, What};

/// A cube's rows after a batch in one reading of its members, joined and filtered as the cube is, and the days that they
/// cover.
#[derive(Debug)]
pub(crate) struct Table {
    cube: &'static Cube,
    rows: Vec<Row>,
    /// First day of the first period with facts.
    first: i32,
    /// Last snapshot day up to the as-of date.
    last: i32,
    /// Last day of any fact; no earlier than `last`.
    until: i32,
}

#[derive(Debug)]
struct Row {
    day: i32,
    /// Whose file it lies in.
    branch: &'static str,
    /// By place in the cube's list.
    members: Vec<Value>,
    numbers: Vec<Option<i128>>,
}

// ---- joins

impl Table {
    /// With members as of a day; each fact's as of its own day without one.
    pub(crate) fn new(cube: &'static Cube, data: &Data, state: usize, day: Option<i32>) -> Self {
        let offices = &data.offices[state];
        let mut rows = Vec::new();
        let (mut first, mut until) = (i32::MAX, i32::MIN);
        for fact in data.visible(cube.facts, state) {
            (first, until) = (first.min(fact.day), until.max(fact.day));
            let client = data.clients[state].iter().find(|versions| {
                let client = &versions[0].row;
                client.branch == fact.branch && Some(&client.id) == fact.client.as_ref()
            });
            let client = client.map(|versions| &standing(versions, fact, day).row);
            let product = data.products[state].iter().find(|product| Some(product.id) == fact.product);
            let family = product.and_then(|product| product.family);
            // The cube's own condition.
            if cube.name == "balances" && family == Some("internal") {
                continue;
            }
            let members = cube.members.iter().map(|member| match member.name {
                "tier" => optional(client.and_then(|client| client.tier)),
                "joined_on" => client.and_then(|client| client.joined_on).map_or(Value::Null, Value::Date),
                "is_staff" => client.and_then(|client| client.is_staff).map_or(Value::Null, Value::Flag),
                "client_id" => Value::text(client.map_or("unknown", |client| client.id.as_str())),
                "product_family" => optional(family),
                "product_line" => Value::text(product.map_or("unknown", |product| product.line)),
                "product" => Value::text(product.map_or("unknown", |product| product.id)),
                "currency" | "channel" => optional(fact.word),
                "account_no" | "holding_no" => Value::Integer(i128::from(fact.number)),
                "attempt" => fact.numbers[0].map_or(Value::Null, Value::Integer),
                name => match name.strip_prefix("target_") {
                    Some(name) => of_office(offices, fact.target, fact, day, name),
                    None => of_office(offices, fact.office, fact, day, name),
                },
            });
            let target = offices.iter().position(|versions| Some(versions[0].row.id) == fact.target);
            // The version that the fact holds, whichever stands for it.
            let target = target.map(|place| 100 * place + booked(&offices[place], fact));
            let mut numbers = vec![
                client.map(|client| i128::from(client.number)),
                Some(target.map_or(-1, |version| version as i128)),
                Some(i128::from(fact.day)),
            ];
            numbers.extend_from_slice(&fact.numbers);
            rows.push(Row { day: fact.day, branch: fact.branch, members: members.collect(), numbers });
        }
        let as_of = AS_OF[state];
        let (first, last) = match cube.snapshot {
            Some(Snapshot::MonthEnd) => {
                let last = if month_end(as_of) == as_of { as_of } else { Unit::Month.start(as_of) - 1 };
                (Unit::Month.start(first), last)
            }
            _ => (first, as_of),
        };
        Self { cube, rows, first, last, until: until.max(last) }
    }

    fn is_snapshot(&self, day: i32) -> bool {
        day <= self.last && (self.cube.snapshot != Some(Snapshot::MonthEnd) || day == month_end(day))
    }
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::text)
}

/// The version that stands for a fact's member.
fn standing<'a, T>(versions: &'a [Version<T>], fact: &Fact, day: Option<i32>) -> &'a Version<T> {
    match day {
        Some(day) => in_force(versions, day),
        None => &versions[booked(versions, fact)],
    }
}

/// A column of the organisation; the unknown member is called so on every level. What stands above is taken as of the same
/// day, and as it was as of the version's first day.
fn of_office(offices: &[Vec<Version<Office>>], id: Option<&str>, fact: &Fact, day: Option<i32>, column: &str) -> Value {
    let find = |id: &str| offices.iter().find(|versions| versions[0].row.id == id);
    let Some(versions) = id.and_then(find) else {
        return if column == "office_kind" { Value::Null } else { Value::text("unknown") };
    };
    let version = standing(versions, fact, day);
    let (office, day) = (&version.row, day.unwrap_or(version.from));
    match column {
        "branch_code" => Value::text(office.branch),
        "office_kind" => optional(office.kind),
        level => {
            let mut path = vec![office];
            while let Some(above) = path[path.len() - 1].parent.and_then(find) {
                path.push(&in_force(above, day).row);
            }
            path.reverse();
            // A missing level shows what stands above it.
            let levels = ["head_office", "branch", "sub_branch", "outlet"];
            let depth = levels.iter().position(|known| *known == level).unwrap_or_else(|| panic!("no column {level}"));
            let up_to = &levels[..=depth];
            let shown = path.iter().rev().find(|office| up_to.contains(&office.level)).unwrap_or(&path[0]);
            Value::text(shown.name)
        }
    }
}

// ---- expressions

/// What an expression is evaluated on: a row, or a day alone.
#[derive(Clone, Copy)]
struct Spot<'a> {
    day: i32,
    members: &'a [Value],
}

impl Row {
    fn spot(&self) -> Spot<'_> {
        Spot { day: self.day, members: &self.members }
    }
}

impl Scalar {
    fn value(&self, spot: Spot<'_>) -> Value {
        match self {
            Self::Member(place) => spot.members[*place].clone(),
            Self::Upper(place) => match &spot.members[*place] {
                Value::Text(text) => Value::Text(text.to_uppercase()),
                other => other.clone(),
            },
            Self::Coalesce(place) => match &spot.members[*place] {
                Value::Null => Value::text("-"),
                other => other.clone(),
            },
            Self::IsNull(place) => Value::Flag(spot.members[*place] == Value::Null),
            Self::Level(unit) => Value::Date(unit.start(spot.day)),
            Self::Trunc(unit, base) => Value::midnight(unit.start(base.start(spot.day))),
            Self::TruncDate(unit, base) => Value::Date(unit.start(base.start(spot.day))),
            Self::Part(part, base) => Value::Integer(part.of(base.start(spot.day))),
        }
    }
}

impl Op {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::Unequal => order != Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
        }
    }
}

/// The order of two values; nothing where one of them is null.
fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Integer(value) => Some((*value, 0)),
        Value::Decimal(value, scale) => Some((*value, *scale)),
        _ => None,
    };
    let seconds = |value: &Value| match value {
        Value::Date(day) | Value::Written(day) => Some(i64::from(*day) * 86_400),
        Value::Moment(seconds) => Some(*seconds),
        _ => None,
    };
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        (Value::Flag(one), Value::Flag(other)) => Some(one.cmp(other)),
        _ => match (number(one), number(other), seconds(one), seconds(other)) {
            (Some((one, scale)), Some((other, other_scale)), ..) => {
                Some((one * power(other_scale)).cmp(&(other * power(scale))))
            }
            (.., Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => panic!("{one:?} is not compared with {other:?}"),
        },
    }
}

fn power(exponent: u32) -> i128 {
    10_i128.pow(exponent)
}

impl Cond {
    /// True, false or unknown.
    fn truth(&self, spot: Spot<'_>) -> Option<bool> {
        let negate = |truth: Option<bool>, negated: bool| truth.map(|truth| truth != negated);
        match self {
            Self::Is(scalar, op, value) => compare(&scalar.value(spot), value).map(|order| op.holds(order)),
            Self::Distinct(scalar, value) => Some(scalar.value(spot) != *value),
            Self::In(scalar, values, negated) => {
                let own = scalar.value(spot);
                negate(any(values.iter().map(|value| compare(&own, value).map(Ordering::is_eq))), *negated)
            }
            Self::Null(scalar, negated) => Some((scalar.value(spot) == Value::Null) != *negated),
            Self::Like(scalar, pattern, negated) => match scalar.value(spot) {
                Value::Text(text) => {
                    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
                    Some(like(&text, &pattern) != *negated)
                }
                _ => None,
            },
            Self::Between(scalar, low, high, negated) => {
                let own = scalar.value(spot);
                let above = compare(&own, low).map(Ordering::is_ge);
                let below = compare(&own, high).map(Ordering::is_le);
                let both = match (above, below) {
                    (Some(above), Some(below)) => Some(above && below),
                    (Some(false), None) | (None, Some(false)) => Some(false),
                    _ => None,
                };
                negate(both, *negated)
            }
            Self::Flag(place, negated) => match spot.members[*place] {
                Value::Flag(flag) => Some(flag != *negated),
                _ => None,
            },
            Self::Any(parts) => any(parts.iter().map(|part| part.truth(spot))),
            Self::Not(part) => part.truth(spot).map(|truth| !truth),
        }
    }

    fn holds(&self, spot: Spot<'_>) -> bool {
        self.truth(spot) == Some(true)
    }
}

/// OR of three-valued truths.
fn any(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let truths: Vec<Option<bool>> = truths.collect();
    if truths.contains(&Some(true)) {
        Some(true)
    } else if truths.contains(&None) {
        None
    } else {
        Some(false)
    }
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| like(&text[skipped..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        [first, rest @ ..] => text.first() == Some(first) && like(&text[1..], rest),
    }
}

// ---- days

/// Which days feed the buckets of a grouping set, for one call.
struct DateMap {
    first: i32,
    /// By day from `first`.
    inside: Vec<bool>,
    bucket: Vec<Vec<Value>>,
    /// Last snapshot day and number of days of each bucket.
    close: HashMap<Vec<Value>, i32>,
    length: HashMap<Vec<Value>, i128>,
}

impl DateMap {
    fn new(table: &Table, keys: &[&Scalar], conditions: &[&Cond], rule: Rule) -> Result<Self, &'static str> {
        let spot = |day: i32| Spot { day, members: &[] };
        let days = table.first..=table.until;
        let inside =
            days.clone().map(|day| day <= table.last && conditions.iter().all(|condition| condition.holds(spot(day))));
        let inside: Vec<bool> = inside.collect();
        let bucket: Vec<Vec<Value>> =
            days.clone().map(|day| keys.iter().map(|key| key.value(spot(day))).collect()).collect();
        let at = |day: i32| (day - table.first) as usize;
        let (mut close, mut length) = (HashMap::new(), HashMap::new());
        for day in days.clone().filter(|day| inside[at(*day)]) {
            *length.entry(bucket[at(day)].clone()).or_insert(0) += 1;
            if table.is_snapshot(day) {
                close.insert(bucket[at(day)].clone(), day);
            }
        }
        // A month's row stands for all its days: a range or grouping may not part them.
        if rule == Rule::Average && table.cube.snapshot == Some(Snapshot::MonthEnd) {
            for day in days {
                let end = month_end(day);
                if end > table.last {
                    continue;
                }
                let (day, end) = (at(day), at(end));
                if (inside[day] || inside[end]) && (inside[day] != inside[end] || bucket[day] != bucket[end]) {
                    return Err("TIME_CONTEXT");
                }
            }
        }
        Ok(Self { first: table.first, inside, bucket, close, length })
    }

    fn bucket(&self, day: i32) -> &Vec<Value> {
        &self.bucket[(day - self.first) as usize]
    }

    /// Whether a row of this day feeds its bucket.
    fn feeds(&self, table: &Table, day: i32, rule: Rule) -> bool {
        match rule {
            Rule::All => true,
            Rule::Close => self.close.get(self.bucket(day)) == Some(&day),
            Rule::Average | Rule::Seen => self.inside[(day - self.first) as usize] && table.is_snapshot(day),
        }
    }
}

// ---- other days

/// The days that feed a group of a comparison.
struct Fed {
    days: Vec<i32>,
    /// Calendar days that an average divides by.
    length: i128,
}

/// By the values of the time keys of each group that has a day asked for; nothing where the facts do not reach back.
type Other = HashMap<Vec<Value>, Option<Fed>>;

/// First and last day, both inside.
type Run = (i32, i32);

/// What feeds the groups of a comparison, by the question's keys and conditions over time.
fn other_days(
    table: &Table,
    keys: &[&Scalar],
    conditions: &[&Cond],
    shift: Shift,
    rule: Rule,
) -> Result<Other, &'static str> {
    let spot = |day: i32| Spot { day, members: &[] };
    let of = |day: i32| -> Vec<Value> { keys.iter().map(|key| key.value(spot(day))).collect() };
    let limit = if rule == Rule::All { table.until } else { table.last };
    let mut asked: BTreeMap<Vec<Value>, Vec<i32>> = BTreeMap::new();
    for day in table.first..=limit {
        if conditions.iter().all(|condition| condition.holds(spot(day))) {
            asked.entry(of(day)).or_default().push(day);
        }
    }
    let is_prior = shift == Shift::PriorPeriod;
    let unit = if is_prior && !keys.is_empty() { Some(unit_of(table, of)?) } else { None };
    let range = if is_prior && keys.is_empty() { range_before(table, conditions, limit)? } else { None };
    let mut other = Other::new();
    for (group, days) in asked {
        let (begins, ends) = (days[0], days[days.len() - 1]);
        let moved: Vec<Run> = match shift {
            Shift::PriorYear => runs(&days).into_iter().map(a_year_before).collect(),
            Shift::YearStart => vec![(table.first, Unit::Year.start(ends) - 1)],
            Shift::Opening => vec![(table.first, begins - 1)],
            Shift::ToDate(unit) => vec![(unit.start(ends), ends)],
            Shift::ToDatePriorYear(unit) => vec![a_year_before((unit.start(ends), ends))],
            Shift::Rolling(count, unit) => vec![(window(ends, count, unit), ends)],
            Shift::PriorPeriod => match unit {
                Some(unit) => {
                    let whole = (unit.start(begins).max(table.first), unit.end(begins).min(limit));
                    if runs(&days) != [whole] {
                        return Err("TIME_CONTEXT");
                    }
                    let before = unit.start(begins) - 1;
                    vec![(unit.start(before), before)]
                }
                None => range.into_iter().collect(),
            },
        };
        let days: BTreeSet<i32> = moved.into_iter().flat_map(|(from, to)| from..=to).collect();
        other.insert(group, pick(table, &days, rule)?);
    }
    Ok(other)
}

/// What a time rule picks of the days.
fn pick(table: &Table, days: &BTreeSet<i32>, rule: Rule) -> Result<Option<Fed>, &'static str> {
    let covered = |day: &i32| (table.first..=table.until).contains(day);
    if rule == Rule::Close {
        let close = days.iter().copied().filter(covered).filter(|day| table.is_snapshot(*day)).max();
        return Ok(close.map(|day| Fed { days: vec![day], length: 1 }));
    }
    // The first month with an event counts from its first day.
    let since = if table.cube.snapshot.is_none() { Unit::Month.start(table.first) } else { table.first };
    if days.first().is_none_or(|first| *first < since) {
        return Ok(None);
    }
    let monthly = rule == Rule::Average && table.cube.snapshot == Some(Snapshot::MonthEnd);
    let parted = |day: i32| month_end(day) <= table.last && days.contains(&day) != days.contains(&month_end(day));
    if monthly && (table.first..=table.until).any(parted) {
        return Err("TIME_CONTEXT");
    }
    let feeds = |day: &i32| covered(day) && (rule == Rule::All || table.is_snapshot(*day));
    Ok(Some(Fed { days: days.iter().copied().filter(feeds).collect(), length: days.len() as i128 }))
}

/// The finest unit whose periods the groups are.
fn unit_of(table: &Table, of: impl Fn(i32) -> Vec<Value>) -> Result<Unit, &'static str> {
    let groups: Vec<Vec<Value>> = (table.first..=table.until).map(of).collect();
    let is = |unit: &Unit| {
        // One group for each period and one period for each group.
        let mut pairs: BTreeSet<(i32, &Vec<Value>)> = BTreeSet::new();
        pairs.extend((table.first..).zip(&groups).map(|(day, group)| (unit.start(day), group)));
        let periods: BTreeSet<i32> = pairs.iter().map(|(period, _)| *period).collect();
        let distinct: BTreeSet<&Vec<Value>> = pairs.iter().map(|(_, group)| *group).collect();
        pairs.len() == periods.len() && pairs.len() == distinct.len()
    };
    [Unit::Day, Unit::Week, Unit::Month, Unit::Quarter, Unit::Year].into_iter().find(is).ok_or("TIME_CONTEXT")
}

/// The range before the one that is asked for; none where time has no condition.
fn range_before(table: &Table, conditions: &[&Cond], limit: i32) -> Result<Option<Run>, &'static str> {
    if conditions.is_empty() {
        return Ok(None);
    }
    // As good as endless.
    let (from, to) = (date(1990, 1, 1), date(2059, 12, 31));
    let holds = |day: &i32| conditions.iter().all(|condition| condition.holds(Spot { day: *day, members: &[] }));
    let days: Vec<i32> = (from..=to).filter(holds).collect();
    let [(first, last)] = runs(&days)[..] else { return Err("TIME_CONTEXT") };
    let first = if first == from { table.first } else { first };
    let last = if last == to { limit } else { last };
    if first > last {
        return Ok(None);
    }
    let units = [Unit::Year, Unit::Quarter, Unit::Month, Unit::Week, Unit::Day];
    let whole = |unit: &Unit| unit.start(first) == first && unit.end(last) == last;
    let unit = units.into_iter().find(whole).unwrap_or(Unit::Day);
    let (mut rest, mut begins) = (last, first);
    while rest >= first {
        rest = unit.start(rest) - 1;
        begins = unit.start(begins - 1);
    }
    Ok(Some((begins, first - 1)))
}

/// Days in order as runs.
fn runs(days: &[i32]) -> Vec<Run> {
    let breaks = |pair: &&[i32]| pair[1] != pair[0] + 1;
    let begins = days.first().copied().into_iter().chain(days.windows(2).filter(breaks).map(|pair| pair[1]));
    let ends = days.windows(2).filter(breaks).map(|pair| pair[0]).chain(days.last().copied());
    begins.zip(ends).collect()
}

/// A year earlier: an end of a month stays one, and leap day becomes the day before it.
fn a_year_before((first, last): Run) -> Run {
    let back = |day: i32| match civil(day) {
        (year, 2, 29) => date(year - 1, 2, 28),
        (year, month, day) => date(year - 1, month, day),
    };
    let ends = if last == month_end(last) { month_end(back(last)) } else { back(last) };
    (if first == last { ends } else { back(first) }, ends)
}

/// First day of the last so many units up to a day.
fn window(last: i32, count: i32, unit: Unit) -> i32 {
    let months = match unit {
        Unit::Day => return last - count + 1,
        Unit::Week => return last - 7 * count + 1,
        Unit::Month => count,
        Unit::Quarter => 3 * count,
        Unit::Year => 12 * count,
    };
    let (year, month, day) = civil(last);
    let back = |months: i32| {
        let place = year * 12 + month - 1 - months;
        date(place.div_euclid(12), place.rem_euclid(12) + 1, 1)
    };
    match last == month_end(last) {
        true => back(months - 1),
        false => (back(months) + day - 1).min(month_end(back(months))) + 1,
    }
}

// ---- the answer

/// The rows of a question's answer, in order where it has one; or the code of the error that it must be.
pub(crate) fn evaluate(question: &Question, table: &Table) -> Result<Vec<Vec<Value>>, &'static str> {
    let calls: Vec<&Call> = question.calls.iter().chain(question.having.iter().map(|(call, ..)| call)).collect();
    for call in &calls {
        if let What::Wrong(_, code) = call.what {
            return Err(code);
        }
    }
    let branch = match question.asker {
        Asker::HeadOffice => None,
        Asker::Schema(branch) | Asker::Branch(branch) => Some(branch),
    };
    let mut answer = Vec::new();
    for set in question.sets() {
        answer.extend(Scope::new(question, table, branch, &set).rows(&calls)?);
    }
    if question.is_ordered() {
        let keys = question.keys.len();
        answer.sort_by(|one, other| {
            let order = |value: &Value| (*value == Value::Null, value.clone());
            let keys = one.iter().zip(other).take(keys);
            keys.map(|(one, other)| order(one).cmp(&order(other)))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        answer.truncate(question.limit.unwrap_or(usize::MAX));
    }
    Ok(answer)
}

/// Values of the keys of a grouping set.
type Key = Vec<Value>;

/// One grouping set of a question.
struct Scope<'a> {
    question: &'a Question,
    table: &'a Table,
    /// Keys by place.
    set: &'a [usize],
    /// Keys over time, in the order of the set.
    timed: Vec<&'a Scalar>,
    /// Rows by the question's own keys and days.
    own: BTreeMap<Key, Vec<&'a Row>>,
    /// Rows that the conditions besides those on time leave.
    timeless: Vec<&'a Row>,
}

impl<'a> Scope<'a> {
    fn new(question: &'a Question, table: &'a Table, branch: Option<&str>, set: &'a [usize]) -> Self {
        let timed = set.iter().map(|place| &question.keys[*place]).filter(|key| key.is_time()).collect();
        let visible = table.rows.iter().filter(|row| branch.is_none_or(|branch| row.branch == branch));
        let (timely, others): (Vec<&Cond>, Vec<&Cond>) =
            question.filters.iter().partition(|filter| filter.is_time() == Some(true));
        let all_hold = |filters: &[&Cond], row: &Row| filters.iter().all(|filter| filter.holds(row.spot()));
        let mut own: BTreeMap<Key, Vec<&Row>> = BTreeMap::new();
        let mut timeless = Vec::new();
        for row in visible.filter(|row| all_hold(&others, row)) {
            timeless.push(row);
            if all_hold(&timely, row) {
                let key = set.iter().map(|place| question.keys[*place].value(row.spot())).collect();
                own.entry(key).or_default().push(row);
            }
        }
        Self { question, table, set, timed, own, timeless }
    }

    /// Of `calls` the last is the one of HAVING, when there is one.
    fn rows(&self, calls: &[&'a Call]) -> Result<Vec<Vec<Value>>, &'static str> {
        let columns = calls.iter().map(|call| Node::new(self, &call.what, &call.filter));
        let columns = columns.collect::<Result<Vec<Node<'_>>, _>>()?;
        let (mut own, mut keys) = (false, BTreeSet::new());
        let mut compares = false;
        for node in &columns {
            node.parts(&mut |part| match part {
                Node::Moved(moved) => {
                    compares = true;
                    keys.extend(moved.rows.keys().cloned());
                }
                Node::Own(Part { what: What::Grouping(_), .. }) => {}
                _ => own = true,
            });
        }
        if own || !compares {
            keys.extend(self.own.keys().cloned());
        }
        if self.set.is_empty() {
            keys.insert(Vec::new());
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        let mut columns: Vec<Vec<Value>> = columns.iter().map(|node| node.values(self, &keys)).collect();
        let having = self.question.having.as_ref().map(|(_, op, value)| (op, value, columns.pop().unwrap_or_default()));
        let mut answer = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            if let Some((op, value, own)) = &having
                && compare(&own[row], value).map(|order| op.holds(order)) != Some(true)
            {
                continue;
            }
            let cells = (0..self.question.keys.len()).map(|place| {
                let stands = self.set.iter().position(|own| *own == place);
                stands.map_or(Value::Null, |place| key[place].clone())
            });
            answer.push(cells.chain(columns.iter().map(|column| column[row].clone())).collect());
        }
        Ok(answer)
    }

    fn measure(&self, name: &str) -> (usize, &'a Measure) {
        let place = self.table.cube.measure(name);
        (place, &self.table.cube.measures[place])
    }

    /// The call's and the question's conditions on time, and the call's others.
    fn parted(&self, filter: &'a [Cond]) -> Result<(Vec<&'a Cond>, Vec<&'a Cond>), &'static str> {
        let (mut time, mut others) = (Vec::new(), Vec::new());
        for condition in filter {
            let parted = if condition.is_time().ok_or("TIME_CONTEXT")? { &mut time } else { &mut others };
            parted.push(condition);
        }
        for condition in &self.question.filters {
            if condition.is_time().ok_or("TIME_CONTEXT")? {
                time.push(condition);
            }
        }
        Ok((time, others))
    }

    /// Places in the set of the keys that a share or rank keeps.
    fn kept(&self, within: Within) -> Vec<usize> {
        let key = |place: usize| &self.question.keys[self.set[place]];
        let of = |place: usize| place_in_dimension(key(place).column(self.table.cube));
        let all = 0..self.set.len();
        let stays = |place: &usize| match (within, of(*place)) {
            (Within::All, _) => key(*place).is_time(),
            (Within::Parent(dimension), Some((own, depth))) if own == dimension => {
                let depths = all.clone().filter_map(of).filter(|(own, _)| *own == dimension).map(|(_, depth)| depth);
                depth.is_some() && depth < depths.max().flatten()
            }
            (Within::Level(dimension, level), Some((own, depth))) if own == dimension => {
                let prefix = if dimension == "target" { "target_" } else { "" };
                let last = place_in_dimension(&format!("{prefix}{level}")).and_then(|(_, depth)| depth);
                depth.is_some() && depth <= last
            }
            _ => true,
        };
        all.clone().filter(stays).collect()
    }
}

/// A column of a grouping set, or what one is made of.
enum Node<'a> {
    Own(Part<'a>),
    Moved(Moved<'a>),
    Change { of: &'a Measure, now: Part<'a>, before: Box<Node<'a>>, relative: bool },
    Share { of: Part<'a>, kept: Vec<usize> },
    Rank { of: Box<Node<'a>>, kept: Vec<usize>, lowest_first: bool },
    Calculated { of: Vec<Node<'a>>, how: Calculation, gives: Gives },
}

impl<'a> Node<'a> {
    fn new(scope: &Scope<'a>, what: &What, filter: &'a [Cond]) -> Result<Self, &'static str> {
        let own = |what: &What| Part::new(scope, what, filter);
        let (What::Measure(place) | What::Named(place, _)) = what else { return Ok(Self::Own(own(what)?)) };
        let cube: &'static Cube = scope.table.cube;
        let State::Derived(derived) = &cube.measures[*place].state else { return Ok(Self::Own(own(what)?)) };
        let named = |name: &str| What::Measure(scope.measure(name).0);
        let node = |name: &str| Self::new(scope, &named(name), filter);
        Ok(match derived {
            Derived::Moved(of, shift) => Self::Moved(Moved::new(scope, of, *shift, filter)?),
            Derived::Change(of, shift, relative) => Self::Change {
                of: scope.measure(of).1,
                now: own(&named(of))?,
                before: Box::new(Self::Moved(Moved::new(scope, of, *shift, filter)?)),
                relative: *relative,
            },
            Derived::Share(of, within) => Self::Share { of: own(&named(of))?, kept: scope.kept(*within) },
            Derived::Rank(of, within, lowest_first) => {
                Self::Rank { of: Box::new(node(of)?), kept: scope.kept(*within), lowest_first: *lowest_first }
            }
            Derived::Calculated(of, how) => Self::Calculated {
                of: of.iter().map(|name| node(name)).collect::<Result<_, _>>()?,
                how: *how,
                gives: cube.measures[*place].gives,
            },
        })
    }

    /// Tells of everything in it that reads rows.
    fn parts(&self, tell: &mut dyn FnMut(&Self)) {
        match self {
            Self::Own(_) | Self::Moved(_) | Self::Share { .. } => tell(self),
            Self::Change { before, .. } => {
                tell(self);
                before.parts(tell);
            }
            Self::Rank { of, .. } => of.parts(tell),
            Self::Calculated { of, .. } => of.iter().for_each(|node| node.parts(tell)),
        }
    }

    /// Its value in each group.
    fn values(&self, scope: &Scope<'_>, keys: &[Key]) -> Vec<Value> {
        let own =
            |part: &Part<'_>, key: &Key| part.value(scope, scope.own.get(key).map(Vec::as_slice).unwrap_or_default());
        match self {
            Self::Own(part) => keys.iter().map(|key| own(part, key)).collect(),
            Self::Moved(moved) => keys.iter().map(|key| moved.value(scope, key)).collect(),
            Self::Change { of, now, before, relative } => {
                let Self::Moved(before) = &**before else { unreachable!("a change is against other days") };
                let change = |key: &Key| {
                    let known = before.is_known(scope, key);
                    change(of, &own(now, key), &before.value(scope, key), known, *relative)
                };
                keys.iter().map(change).collect()
            }
            Self::Share { of, kept } => {
                let parts: Vec<Value> = keys.iter().map(|key| own(of, key)).collect();
                let of = |key: &Key| -> Key { kept.iter().map(|place| key[*place].clone()).collect() };
                let mut totals: HashMap<Key, i128> = HashMap::new();
                for (key, part) in keys.iter().zip(&parts) {
                    if let Some((part, _)) = number(part) {
                        *totals.entry(of(key)).or_default() += part;
                    }
                }
                let share = |(key, part): (&Key, &Value)| {
                    let (part, scale) = number(part)?;
                    quotient(part, scale, *totals.get(&of(key))?, scale, 6)
                };
                let shares = keys.iter().zip(&parts).map(share);
                shares.map(|share| share.map_or(Value::Null, |share| Value::Decimal(share, 6))).collect()
            }
            Self::Rank { of, kept, lowest_first } => {
                let values: Vec<Option<i128>> =
                    of.values(scope, keys).iter().map(|value| number(value).map(|(value, _)| value)).collect();
                let of = |key: &Key| -> Key { kept.iter().map(|place| key[*place].clone()).collect() };
                let groups: Vec<Key> = keys.iter().map(of).collect();
                let rank = |row: usize| {
                    let Some(own) = values[row] else { return Value::Null };
                    let before = |other: i128| if *lowest_first { other < own } else { other > own };
                    let better = (0..keys.len()).filter(|other| groups[*other] == groups[row]);
                    Value::Integer(1 + better.filter(|other| values[*other].is_some_and(before)).count() as i128)
                };
                (0..keys.len()).map(rank).collect()
            }
            Self::Calculated { of, how, gives } => {
                let columns: Vec<Vec<Value>> = of.iter().map(|node| node.values(scope, keys)).collect();
                let value = |row: usize| {
                    let inputs: Vec<_> = columns.iter().map(|column| number(&column[row])).collect();
                    given(how(&inputs), *gives)
                };
                (0..keys.len()).map(value).collect()
            }
        }
    }
}

/// A number with its scale.
fn number(value: &Value) -> Option<(i128, u32)> {
    match value {
        Value::Integer(value) => Some((*value, 0)),
        Value::Decimal(value, scale) => Some((*value, *scale)),
        Value::Null => None,
        other => panic!("{other:?} is no number"),
    }
}

/// A value now against the one before. Sums and counts are zero where there is no row, other measures have no value there.
fn change(of: &Measure, now: &Value, before: &Value, known: bool, relative: bool) -> Value {
    let (now, before) = (number(now), number(before));
    let adds = of.rule != Rule::Seen
        && matches!(
            of.state,
            State::Sum(_) | State::Rows | State::Count(_) | State::Distinct(_) | State::DistinctMember(_)
        );
    let scale = now.or(before).map_or(0, |(_, scale)| scale);
    let (now, before) = (now.map(|(now, _)| now), before.map(|(before, _)| before));
    let difference = match (now, before) {
        (None, None) => None,
        (Some(now), Some(before)) => Some(now - before),
        (now, before) if adds => Some(now.unwrap_or(0) - before.unwrap_or(0)),
        _ => None,
    };
    match difference.filter(|_| known) {
        Some(difference) if relative => {
            let relative = before.and_then(|before| quotient(difference, scale, before.abs(), scale, 6));
            relative.map_or(Value::Null, |relative| Value::Decimal(relative, 6))
        }
        difference => given(difference, of.gives),
    }
}

/// A measure over other days than the question's own.
struct Moved<'a> {
    measure: &'a Measure,
    filters: Vec<&'a Cond>,
    days: Other,
    /// Rows on those days, by the keys of the group that they feed.
    rows: BTreeMap<Key, Vec<&'a Row>>,
}

impl<'a> Moved<'a> {
    fn new(scope: &Scope<'a>, of: &str, shift: Shift, filter: &'a [Cond]) -> Result<Self, &'static str> {
        let (_, measure) = scope.measure(of);
        let (time, filters) = scope.parted(filter)?;
        let days = other_days(scope.table, &scope.timed, &time, shift, measure.rule)?;
        let keys = || scope.set.iter().map(|place| &scope.question.keys[*place]);
        // By day: the other keys of each row.
        let mut by_day: HashMap<i32, Vec<(Key, &Row)>> = HashMap::new();
        for row in &scope.timeless {
            let others = keys().filter(|key| !key.is_time()).map(|key| key.value(row.spot()));
            by_day.entry(row.day).or_default().push((others.collect(), row));
        }
        let mut rows = BTreeMap::new();
        for (group, fed) in &days {
            let mut found: HashMap<&Key, Vec<&Row>> = HashMap::new();
            for (others, row) in fed.iter().flat_map(|fed| &fed.days).filter_map(|day| by_day.get(day)).flatten() {
                found.entry(others).or_default().push(row);
            }
            for (others, fed) in found {
                let (mut time, mut others) = (group.iter(), others.iter());
                let key = keys().map(|key| if key.is_time() { time.next() } else { others.next() });
                rows.insert(key.map(|value| value.expect("a value for each key").clone()).collect(), fed);
            }
        }
        Ok(Self { measure, filters, days, rows })
    }

    /// What feeds the group: nothing when it has no day, and nothing known where the facts do not reach back.
    fn fed(&self, scope: &Scope<'_>, key: &Key) -> Option<Option<&Fed>> {
        let timed = scope.set.iter().zip(key).filter(|(place, _)| scope.question.keys[**place].is_time());
        let group: Vec<Value> = timed.map(|(_, value)| value.clone()).collect();
        self.days.get(&group).map(Option::as_ref)
    }

    fn is_known(&self, scope: &Scope<'_>, key: &Key) -> bool {
        !matches!(self.fed(scope, key), Some(None))
    }

    fn value(&self, scope: &Scope<'_>, key: &Key) -> Value {
        let fed = self.fed(scope, key);
        if let Some(None) = fed {
            return Value::Null;
        }
        let rows = self.rows.get(key).map(Vec::as_slice).unwrap_or_default();
        let holds = |row: &&&Row| self.filters.iter().all(|filter| filter.holds(row.spot()));
        let rows: Vec<&Row> = rows.iter().filter(holds).copied().collect();
        finish(self.measure, &rows, fed.flatten().map(|fed| fed.length))
    }
}

/// A call over the question's own days with its conditions parted: those on rows, and the date map where the measure has
/// one.
struct Part<'a> {
    what: What,
    filters: Vec<&'a Cond>,
    map: Option<DateMap>,
}

impl<'a> Part<'a> {
    fn new(scope: &Scope<'a>, what: &What, filter: &'a [Cond]) -> Result<Self, &'static str> {
        let what = what.clone();
        let rule = match what {
            What::Measure(place) | What::Named(place, _) => scope.table.cube.measures[place].rule,
            _ => Rule::All,
        };
        if rule == Rule::All {
            return Ok(Self { what, filters: filter.iter().collect(), map: None });
        }
        let (time, filters) = scope.parted(filter)?;
        let map = DateMap::new(scope.table, &scope.timed, &time, rule)?;
        Ok(Self { what, filters, map: Some(map) })
    }

    /// The call's value over the rows of a group.
    fn value(&self, scope: &Scope<'_>, group: &[&Row]) -> Value {
        let Scope { question, table, set, .. } = *scope;
        let holds = |row: &Row| self.filters.iter().all(|filter| filter.holds(row.spot()));
        let rows: Vec<&Row> = group.iter().copied().filter(|row| holds(row)).collect();
        let values = |scalar: &Scalar| -> Vec<Value> {
            rows.iter().map(|row| scalar.value(row.spot())).filter(|value| *value != Value::Null).collect()
        };
        match &self.what {
            What::Measure(place) | What::Named(place, _) => {
                let measure = &table.cube.measures[*place];
                let feeding = |row: &Row| self.map.as_ref().is_none_or(|map| map.feeds(table, row.day, measure.rule));
                let feeding: Vec<&Row> = rows.iter().copied().filter(|row| feeding(row)).collect();
                // The days of the bucket do not depend on the call's conditions on members.
                let length = self
                    .map
                    .as_ref()
                    .and_then(|map| group.iter().find_map(|row| map.length.get(map.bucket(row.day))).copied());
                finish(measure, &feeding, length)
            }
            What::Rows(_) => Value::Integer(rows.len() as i128),
            What::SumOne if rows.is_empty() => Value::Null,
            What::SumOne => Value::Integer(rows.len() as i128),
            What::Count(scalar) => Value::Integer(values(scalar).len() as i128),
            What::CountDistinct(scalar) => {
                Value::Integer(values(scalar).into_iter().collect::<BTreeSet<_>>().len() as i128)
            }
            What::Min(scalar) => values(scalar).into_iter().min().unwrap_or(Value::Null),
            What::Max(scalar) => values(scalar).into_iter().max().unwrap_or(Value::Null),
            What::OfRows(ordinary, place) => {
                let measure = &table.cube.measures[*place];
                let input = measure.row_value().expect("only additive measures have row values");
                let values: Vec<i128> = rows.iter().filter_map(|row| input(&row.numbers)).collect();
                of_rows(*ordinary, &values, measure.gives)
            }
            What::Grouping(places) => {
                let bits = places.iter().fold(0, |bits, place| bits << 1 | i128::from(!set.contains(place)));
                debug_assert!(places.iter().all(|place| *place < question.keys.len()));
                Value::Integer(bits)
            }
            What::Wrong(..) => unreachable!("told before"),
        }
    }
}

/// A measure's value over the rows that feed it.
fn finish(measure: &Measure, rows: &[&Row], length: Option<i128>) -> Value {
    let values = |input: Input| -> Vec<i128> { rows.iter().filter_map(|row| input(&row.numbers)).collect() };
    let sum = |input: Input| -> Option<i128> { values(input).into_iter().reduce(|total, value| total + value) };
    let scale = match measure.gives {
        Gives::Decimal(scale) => scale,
        Gives::Integer | Gives::Date => 0,
    };
    let value = match &measure.state {
        State::Sum(input) | State::Count(input) if measure.rule == Rule::Seen => {
            let seen = || rows.iter().filter_map(|row| input(&row.numbers).map(|value| (row.day, value)));
            let last = seen().map(|(day, _)| day).max();
            let one = |value: i128| if matches!(measure.state, State::Count(_)) { 1 } else { value };
            last.map(|last| seen().filter(|(day, _)| *day == last).map(|(_, value)| one(value)).sum())
        }
        State::Rows if measure.rule == Rule::Seen => {
            let last = rows.iter().map(|row| row.day).max();
            last.map(|last| rows.iter().filter(|row| row.day == last).count() as i128)
        }
        State::Sum(input) if measure.rule == Rule::Average => match (sum(*input), length) {
            // Sums of money by days; a count is a whole number.
            (Some(total), Some(days)) if measure.name == "holdings_average" => quotient(total, 0, days, 0, scale),
            (Some(total), Some(days)) => quotient(total, 2, days, 0, scale),
            _ => None,
        },
        State::Sum(input) => sum(*input),
        State::Rows => Some(rows.len() as i128),
        State::Count(input) => Some(values(*input).len() as i128),
        State::Min(input) => values(*input).into_iter().min(),
        State::Max(input) => values(*input).into_iter().max(),
        State::Mean(input, of) => {
            let count = values(*input).len() as i128;
            sum(*input).and_then(|total| quotient(total, *of, count, 0, scale))
        }
        State::Ratio(top, bottom, of_top, of_bottom) => {
            let (top, bottom) = (sum(*top), sum(*bottom));
            top.zip(bottom).and_then(|(top, bottom)| quotient(top, *of_top, bottom, *of_bottom, scale))
        }
        State::Distinct(input) => Some(values(*input).into_iter().collect::<BTreeSet<_>>().len() as i128),
        State::Spread(input, of, root) => spread(&values(*input), *of, scale, *root),
        State::Derived(_) => unreachable!("made of others"),
        State::DistinctMember(place) => {
            let members = rows.iter().map(|row| &row.members[*place]).filter(|value| **value != Value::Null);
            Some(members.collect::<BTreeSet<_>>().len() as i128)
        }
    };
    given(value, measure.gives)
}

fn given(value: Option<i128>, gives: Gives) -> Value {
    match (value, gives) {
        (None, _) => Value::Null,
        (Some(value), Gives::Decimal(scale)) => Value::Decimal(value, scale),
        (Some(value), Gives::Integer) => Value::Integer(value),
        (Some(value), Gives::Date) => Value::Date(i32::try_from(value).expect("a day")),
    }
}

/// Rounded once, half away from zero; nothing for a zero below.
pub(crate) fn quotient(top: i128, of_top: u32, bottom: i128, of_bottom: u32, scale: u32) -> Option<i128> {
    if bottom == 0 {
        return None;
    }
    let (top, bottom) = (top * power(scale + of_bottom), bottom * power(of_top));
    let rounded = (top.abs() * 2 + bottom.abs()) / (bottom.abs() * 2);
    Some(if (top < 0) == (bottom < 0) { rounded } else { -rounded })
}

/// Sample variance of values at a scale, or its root, rounded once.
fn spread(values: &[i128], of: u32, scale: u32, root: bool) -> Option<i128> {
    let n = values.len() as i128;
    if n < 2 {
        return None;
    }
    let sum: i128 = values.iter().sum();
    let squares: i128 = values.iter().map(|value| value * value).sum();
    let (top, bottom) = (n * squares - sum * sum, n * (n - 1));
    if !root {
        return quotient(top, 2 * of, bottom, 0, scale);
    }
    let (top, bottom) = (top * power(2 * scale), bottom * power(2 * of));
    let whole = (top / bottom).isqrt();
    let border = 2 * whole + 1;
    Some(if border * border * bottom <= 4 * top { whole + 1 } else { whole })
}

fn of_rows(ordinary: Ordinary, values: &[i128], gives: Gives) -> Value {
    let Gives::Decimal(scale) = gives else { panic!("additive measures of the oracle are decimals") };
    let some = |value: Option<i128>, scale: u32| value.map_or(Value::Null, |value| Value::Decimal(value, scale));
    let sum = values.iter().copied().reduce(|total, value| total + value);
    match ordinary {
        Ordinary::Count => Value::Integer(values.len() as i128),
        Ordinary::Min => some(values.iter().min().copied(), scale),
        Ordinary::Max => some(values.iter().max().copied(), scale),
        Ordinary::Mean => some(sum.map(|sum| sum * power(4) / values.len() as i128), scale + 4),
        Ordinary::Doubled => some(sum.map(|sum| sum * 2), scale),
    }
}
