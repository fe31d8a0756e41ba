//! The plain evaluator: row by row, in whole numbers, sharing no code with the engine.
//!
//! It is written for being read, not for speed: joins are look-ups by name, every date map is a list of days, and every
//! grouping set walks all rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cubes::{Cube, Gives, Input, Measure, Rule, Snapshot, State};
use super::data::{AS_OF, Data, Office, month_end};
use super::question::{Asker, Call, Cond, Op, Ordinary, Question, Scalar, Unit, Value, What};

/// A cube's rows after a batch, joined and filtered as the cube is, and the days that they cover.
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
    pub(crate) fn new(cube: &'static Cube, data: &Data, state: usize) -> Self {
        let offices = &data.offices[state];
        let mut rows = Vec::new();
        let (mut first, mut until) = (i32::MAX, i32::MIN);
        for fact in data.visible(cube.facts, state) {
            (first, until) = (first.min(fact.day), until.max(fact.day));
            let mut known = data.clients[state].iter();
            let client = known.find(|client| client.branch == fact.branch && Some(&client.id) == fact.client.as_ref());
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
                    Some(name) => of_office(offices, fact.target, name),
                    None => of_office(offices, fact.office, name),
                },
            });
            let target = offices.iter().position(|office| Some(office.id) == fact.target);
            let mut numbers = vec![
                client.map(|client| i128::from(client.number)),
                Some(target.map_or(-1, |place| place as i128)),
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

/// A column of the organisation; the unknown member is called so on every level.
fn of_office(offices: &[Office], id: Option<&str>, column: &str) -> Value {
    let find = |id: &str| offices.iter().find(|office| office.id == id);
    let Some(office) = id.and_then(find) else {
        return if column == "office_kind" { Value::Null } else { Value::text("unknown") };
    };
    match column {
        "branch_code" => Value::text(office.branch),
        "office_kind" => optional(office.kind),
        level => {
            let mut path = vec![office];
            while let Some(above) = path[path.len() - 1].parent.and_then(find) {
                path.push(above);
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
            Rule::Average => self.inside[(day - self.first) as usize] && table.is_snapshot(day),
        }
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
    let rows: Vec<&Row> = table
        .rows
        .iter()
        .filter(|row| branch.is_none_or(|branch| row.branch == branch))
        .filter(|row| question.filters.iter().all(|filter| filter.holds(row.spot())))
        .collect();
    let mut answer = Vec::new();
    for set in question.sets() {
        answer.extend(evaluate_set(question, table, &calls, &rows, &set)?);
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

/// One grouping set. Of `calls` the last is the one of HAVING, when there is one.
fn evaluate_set(
    question: &Question,
    table: &Table,
    calls: &[&Call],
    rows: &[&Row],
    set: &[usize],
) -> Result<Vec<Vec<Value>>, &'static str> {
    let timed: Vec<&Scalar> = set.iter().map(|place| &question.keys[*place]).filter(|key| key.is_time()).collect();
    let mut parts = Vec::new();
    for call in calls {
        parts.push(Part::new(question, table, call, &timed)?);
    }
    let mut groups: BTreeMap<Vec<Value>, Vec<&Row>> = BTreeMap::new();
    if set.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for row in rows {
        let key = set.iter().map(|place| question.keys[*place].value(row.spot())).collect();
        groups.entry(key).or_default().push(row);
    }
    let mut answer = Vec::new();
    for (key, rows) in groups {
        let mut values: Vec<Value> = parts.iter().map(|part| part.value(question, table, &rows, set)).collect();
        if let Some((_, op, value)) = &question.having {
            let own = values.pop().unwrap_or(Value::Null);
            if compare(&own, value).map(|order| op.holds(order)) != Some(true) {
                continue;
            }
        }
        let cells = (0..question.keys.len()).map(|place| {
            let stands = set.iter().position(|own| *own == place);
            stands.map_or(Value::Null, |place| key[place].clone())
        });
        answer.push(cells.chain(values).collect());
    }
    Ok(answer)
}

/// A call with its conditions parted: those on rows, and the date map where the measure has one.
struct Part<'a> {
    call: &'a Call,
    filters: Vec<&'a Cond>,
    map: Option<DateMap>,
}

impl<'a> Part<'a> {
    fn new(question: &'a Question, table: &Table, call: &'a Call, keys: &[&Scalar]) -> Result<Self, &'static str> {
        let rule = call.measure().map_or(Rule::All, |place| table.cube.measures[place].rule);
        if rule == Rule::All {
            return Ok(Self { call, filters: call.filter.iter().collect(), map: None });
        }
        let (mut time, mut filters) = (Vec::new(), Vec::new());
        for condition in &call.filter {
            let parted = if condition.is_time().ok_or("TIME_CONTEXT")? { &mut time } else { &mut filters };
            parted.push(condition);
        }
        for condition in &question.filters {
            if condition.is_time().ok_or("TIME_CONTEXT")? {
                time.push(condition);
            }
        }
        let map = DateMap::new(table, keys, &time, rule)?;
        Ok(Self { call, filters, map: Some(map) })
    }

    /// The call's value over the rows of a group.
    fn value(&self, question: &Question, table: &Table, group: &[&Row], set: &[usize]) -> Value {
        let holds = |row: &Row| self.filters.iter().all(|filter| filter.holds(row.spot()));
        let rows: Vec<&Row> = group.iter().copied().filter(|row| holds(row)).collect();
        let values = |scalar: &Scalar| -> Vec<Value> {
            rows.iter().map(|row| scalar.value(row.spot())).filter(|value| *value != Value::Null).collect()
        };
        match &self.call.what {
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
        State::DistinctMember(place) => {
            let members = rows.iter().map(|row| &row.members[*place]).filter(|value| **value != Value::Null);
            Some(members.collect::<BTreeSet<_>>().len() as i128)
        }
    };
    match (value, measure.gives) {
        (None, _) => Value::Null,
        (Some(value), Gives::Decimal(scale)) => Value::Decimal(value, scale),
        (Some(value), Gives::Integer) => Value::Integer(value),
        (Some(value), Gives::Date) => Value::Date(i32::try_from(value).expect("a day")),
    }
}

/// Rounded once, half away from zero; nothing for a zero below.
fn quotient(top: i128, of_top: u32, bottom: i128, of_bottom: u32, scale: u32) -> Option<i128> {
    if bottom == 0 {
        return None;
    }
    let (top, bottom) = (top * power(scale + of_bottom), bottom * power(of_top));
    let rounded = (top.abs() * 2 + bottom.abs()) / (bottom.abs() * 2);
    Some(if (top < 0) == (bottom < 0) { rounded } else { -rounded })
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
