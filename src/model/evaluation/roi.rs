//! Return on investment (E02): categories of costs and benefits, grades of evidence, and cases that are shipped to read.

use super::{
    BASIS, Basis, LANGUAGES, ORIGIN, STANDING, Standing, TO_BE_CONFIRMED, VERSION, basis, check_not_negative,
    check_some, check_unique, decimal, decimals, place_of, read, standing, version,
};
use crate::model::shape::{self, Fields, Kind, Shape, did_you_mean, may, need};
use crate::model::{Diagnostic, Label, Located, time};

/// Categories, grades and cases of a file.
#[derive(Debug, Clone)]
pub struct Model {
    /// Version of the file.
    pub version: u32,
    pub name: Label,
    /// Where it comes from.
    pub origin: Label,
    pub standing: Standing,
    /// The origin is not yet held against its source.
    pub to_be_confirmed: bool,
    /// How good evidence is, best first, and what it takes off a benefit.
    pub grades: Vec<Grade>,
    /// Share of a benefit in its first, second … period, unless its category says otherwise.
    pub ramp: Vec<f64>,
    pub costs: Vec<Cost>,
    pub benefits: Vec<Benefit>,
    pub cases: Vec<Case>,
}

/// A grade of evidence.
#[derive(Debug, Clone)]
pub struct Grade {
    /// `A` to `D`.
    pub key: Located<String>,
    pub name: Label,
    /// Share of the benefit that the evidence does not carry.
    pub haircut: f64,
}

/// A category of costs.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Its stable name.
    pub key: Located<String>,
    /// As printed: `C1`.
    pub code: String,
    pub name: Label,
    /// What belongs to it.
    pub examples: Label,
    /// When it falls due.
    pub timing: Label,
    /// Usual overrun, a share: costs count (1 + risk).
    pub risk: Located<f64>,
}

/// A category of benefits.
#[derive(Debug, Clone)]
pub struct Benefit {
    /// Its stable name.
    pub key: Located<String>,
    /// As printed: `B1`.
    pub code: String,
    pub name: Label,
    /// How it is reckoned, in words.
    pub formula: Label,
    /// The fact or method that it is bound to.
    pub evidence: Label,
    /// Methods by number, as `M22`.
    pub methods: Vec<String>,
    /// Usual grade of evidence.
    pub grade: Located<String>,
    /// Usual shortfall, a share: benefits count (1 − risk).
    pub risk: f64,
    /// Share of the benefit in its first, second … period.
    pub ramp: Vec<f64>,
    /// Loss a period after the last step of the ramp-up.
    pub decay: f64,
    /// The most that the conversion of the measured quantity to money may be, where there is such a limit.
    pub most_converted: Option<f64>,
}

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Month,
    Quarter,
    Year,
}

/// Form of a line's distribution, as in `analysis::finance::Shape`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Triangular,
    Pert,
}

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its stable name.
    pub key: Located<String>,
    pub name: Label,
    /// Whose case it is.
    pub organisation: Label,
    /// What a reader must know of it; printed above every figure.
    pub note: Label,
    /// Nobody may change it.
    pub read_only: bool,
    /// Currency, or `index` for amounts that stand for no money of a bank.
    pub currency: String,
    /// First day of period 1, in days since 1970-01-01.
    pub start: Option<i32>,
    pub period: Period,
    /// Periods from t = 0 on: a horizon of two years in years is 3.
    pub periods: usize,
    pub terms: Terms,
    /// What the source states, and what was added to it.
    pub facts: Vec<Fact>,
    /// Ways to understand a figure that does not say what it counts; the reader chooses one.
    pub readings: Vec<Reading>,
    pub lines: Vec<Line>,
}

/// Rates and conventions of a case, as in `analysis::finance::Terms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Rates are real (without inflation), not nominal.
    pub real: bool,
    /// Discount rate a period.
    pub rate: f64,
    /// Rate at which outflows are financed.
    pub finance_rate: f64,
    /// Rate at which inflows are reinvested.
    pub reinvest_rate: f64,
    /// Share of the profit that goes in tax.
    pub tax: f64,
    /// Flows fall in the middle of a period.
    pub mid_period: bool,
    /// Whether the source states them.
    pub basis: Basis,
}

/// A figure with its unit. `percent` is a fraction, `basis_points` are whole.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its stable name, within the case.
    pub key: Located<String>,
    pub name: Label,
    pub value: f64,
    pub unit: String,
    /// The source says "more than" or "less than" it.
    pub bound: Option<String>,
    pub basis: Basis,
}

/// A way to understand the published figures.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Its stable name, within the case.
    pub key: Located<String>,
    pub name: Label,
    /// What it takes for granted; printed on every figure.
    pub assumes: Label,
    /// The arithmetic, as printed.
    pub arithmetic: String,
    /// What follows.
    pub results: Vec<Fact>,
}

/// A line of a case.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its stable name, within the case.
    pub key: Located<String>,
    /// Category of costs or of benefits.
    pub category: Located<String>,
    /// A benefit, else a cost. Costs are positive numbers.
    pub benefit: bool,
    pub name: Label,
    pub basis: Basis,
    /// Belongs to one reading only.
    pub reading: Option<Located<String>>,
    /// A benefit's shortfall or a cost's overrun, a share; the category's unless stated.
    pub risk: Located<f64>,
    /// Grade of evidence of a benefit.
    pub grade: Option<Located<String>>,
    /// Share of a benefit that is due to the investment.
    pub share: f64,
    /// Key of the fact that a benefit is bound to; without one it is declared.
    pub fact: Option<String>,
    pub form: Form,
    /// Lowest estimate by period; the likely one unless stated.
    pub low: Vec<f64>,
    /// Likely estimate by period.
    pub likely: Vec<f64>,
    /// Highest estimate by period; the likely one unless stated.
    pub high: Vec<f64>,
}

impl Case {
    /// The lines that count under a reading: its own, and those that belong to none.
    pub fn lines_of(&self, reading: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.reading.as_ref().is_none_or(|own| **own == *reading))
    }

    /// The fact of this key.
    pub fn fact(&self, key: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| *fact.key == *key)
    }
}

const GRADES: &[&str] = &["A", "B", "C", "D"];

pub(crate) static MODEL: Shape = Shape {
    name: "a model of return on investment",
    keys: &[
        VERSION,
        LANGUAGES,
        need("name", Kind::Label, "Name shown to people."),
        ORIGIN,
        STANDING,
        TO_BE_CONFIRMED,
        need("grades", Kind::List(&Kind::Map(&GRADE)), "Grades of evidence, best first."),
        may("ramp", Kind::List(&Kind::Share), "Share of a benefit in its first, second ... period.")
            .or("[0.25, 0.6, 1]"),
        need("costs", Kind::List(&Kind::Map(&COST)), "Categories of costs."),
        need("benefits", Kind::List(&Kind::Map(&BENEFIT)), "Categories of benefits."),
        may("cases", Kind::List(&Kind::Map(&CASE)), "Cases that are shipped with the file."),
    ],
};

static GRADE: Shape = Shape {
    name: "a grade of evidence",
    keys: &[
        need("grade", Kind::OneOf(GRADES), "The grade."),
        need("name", Kind::Label, "What evidence it stands for."),
        need("haircut", Kind::Share, "Share of the benefit that the evidence does not carry."),
    ],
};

static COST: Shape = Shape {
    name: "a category of costs",
    keys: &[
        need("cost", Kind::Name, "Stable name of the category."),
        need("code", Kind::Text, "Short mark, such as `C1`."),
        need("name", Kind::Label, "Name shown to people."),
        need("examples", Kind::Label, "What belongs to it."),
        need("timing", Kind::Label, "When it falls due."),
        may("risk", Kind::Decimal, "Usual overrun as a share of the cost.").or("0"),
    ],
};

static BENEFIT: Shape = Shape {
    name: "a category of benefits",
    keys: &[
        need("benefit", Kind::Name, "Stable name of the category."),
        need("code", Kind::Text, "Short mark, such as `B1`."),
        need("name", Kind::Label, "Name shown to people."),
        need("formula", Kind::Label, "How it is reckoned, in words."),
        need("evidence", Kind::Label, "The fact or method that it is bound to."),
        may("methods", Kind::List(&Kind::Text), "Methods by number, such as `M22`."),
        need("grade", Kind::OneOf(GRADES), "Usual grade of evidence."),
        may("risk", Kind::Share, "Usual shortfall as a share of the benefit.").or("0"),
        may(
            "ramp",
            Kind::List(&Kind::Share),
            "Share of the benefit in its first, second ... period; the file's unless stated.",
        ),
        may("decay", Kind::Share, "Loss a period after the last step of the ramp-up.").or("0"),
        may("most_converted", Kind::Share, "The most that may be converted to money, such as half of the hours saved."),
    ],
};

static CASE: Shape = Shape {
    name: "a case",
    keys: &[
        need("case", Kind::Name, "Stable name of the case."),
        need("name", Kind::Label, "Name shown to people."),
        need("organisation", Kind::Label, "Whose case it is."),
        need("note", Kind::Label, "What a reader must know; printed above every figure."),
        may("read_only", Kind::Boolean, "Nobody may change it.").or("false"),
        need("currency", Kind::Text, "Currency, such as CNY; `index` for amounts that stand for no money of a bank."),
        may("start", Kind::Date, "First day of period 1."),
        need("period", Kind::OneOf(&["month", "quarter", "year"]), "Length of a period."),
        need("periods", Kind::Integer(1, 600), "Number of periods from t = 0 on; two years in years are 3."),
        need("terms", Kind::Map(&TERMS), "Rates and conventions."),
        may("facts", Kind::List(&Kind::Map(&FACT)), "What the source states, and what was added to it."),
        may("readings", Kind::List(&Kind::Map(&READING)), "Ways to understand the figures; the reader chooses one."),
        need("lines", Kind::List(&Kind::Map(&LINE)), "Costs and benefits."),
    ],
};

static TERMS: Shape = Shape {
    name: "terms of a case",
    keys: &[
        need("rates", Kind::OneOf(&["nominal", "real"]), "Whether rates and flows are with inflation or without."),
        need("rate", Kind::Decimal, "Discount rate a period, such as 0.08."),
        may("finance_rate", Kind::Decimal, "Rate at which outflows are financed; the discount rate unless stated."),
        may("reinvest_rate", Kind::Decimal, "Rate at which inflows are reinvested; the discount rate unless stated."),
        may("tax", Kind::Share, "Share of the profit that goes in tax.").or("0"),
        may("mid_period", Kind::Boolean, "Flows after t = 0 fall in the middle of their period.").or("false"),
        BASIS,
    ],
};

static FACT: Shape = Shape {
    name: "a figure of a case",
    keys: &[
        need("fact", Kind::Name, "Stable name, within the case."),
        need("name", Kind::Label, "What the figure is."),
        need("value", Kind::Decimal, "The figure; a percentage as a fraction."),
        need("unit", Kind::Text, "Its unit, such as percent, basis_points, GB, months."),
        may("bound", Kind::OneOf(&["above", "below"]), "The source says only that it is more, or less, than this."),
        BASIS,
    ],
};

static READING: Shape = Shape {
    name: "a reading of a case",
    keys: &[
        need("reading", Kind::Name, "Stable name, within the case."),
        need("name", Kind::Label, "Name shown to people."),
        need("assumes", Kind::Label, "What it takes for granted; printed on every figure."),
        need("arithmetic", Kind::Text, "The arithmetic, as printed."),
        need("results", Kind::List(&Kind::Map(&FACT)), "What follows."),
    ],
};

static LINE: Shape = Shape {
    name: "a line of a case",
    keys: &[
        need("line", Kind::Name, "Stable name, within the case."),
        need("category", Kind::Name, "Category of costs or benefits that it belongs to."),
        need("name", Kind::Label, "Name shown to people."),
        BASIS,
        may("reading", Kind::Name, "The reading that it belongs to; every one unless stated."),
        may(
            "risk",
            Kind::Decimal,
            "Overrun of a cost or shortfall of a benefit, a share; the category's unless stated.",
        ),
        may("grade", Kind::OneOf(GRADES), "Grade of evidence of a benefit; the category's unless stated."),
        may("share", Kind::Share, "Share of a benefit that is due to the investment; all unless stated."),
        may("fact", Kind::Text, "Key of the fact that a benefit is bound to; without one it counts as declared."),
        may("form", Kind::OneOf(&["triangular", "pert"]), "Form of its distribution between low and high.")
            .or("triangular"),
        may("low", Kind::List(&Kind::Decimal), "Lowest estimate by period; the likely one unless stated."),
        need("likely", Kind::List(&Kind::Decimal), "Likely estimate by period from t = 0 on; costs are positive."),
        may("high", Kind::List(&Kind::Decimal), "Highest estimate by period; the likely one unless stated."),
    ],
};

/// A model of return on investment from its text; `file` is how the file is called in diagnostics.
///
/// Usable only when there is no diagnostic. `None` where the file is no map.
pub fn parse(file: &str, text: &str) -> (Option<Model>, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let node = read(file, text, &MODEL, &mut faults);
    let fields = Fields::new(&node, &MODEL);
    let model = (!fields.entries().is_empty()).then(|| decode(&fields, &mut faults));
    (model, shape::in_order(faults))
}

fn decode(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Model {
    let ramp = values(&decimals(fields, "ramp"));
    let mut model = Model {
        version: version(fields),
        name: fields.label("name"),
        origin: fields.label("origin"),
        standing: standing(fields),
        to_be_confirmed: fields.boolean("to_be_confirmed"),
        grades: fields.maps("grades").iter().map(grade).collect(),
        costs: fields.maps("costs").iter().map(cost).collect(),
        benefits: fields.maps("benefits").iter().map(|fields| benefit(fields, &ramp)).collect(),
        ramp,
        cases: Vec::new(),
    };
    check_unique("grade", model.grades.iter().map(|grade| &grade.key), faults);
    for pair in model.grades.windows(2).filter(|pair| pair[1].haircut < pair[0].haircut) {
        let (worse, better) = (&pair[1], &pair[0]);
        let message = format!("grade `{}` takes off less than `{}`, which is better", *worse.key, *better.key);
        faults.push(Diagnostic::new(&worse.key.place, message));
    }
    let costs = model.costs.iter().map(|cost| &cost.key);
    check_unique("category", costs.chain(model.benefits.iter().map(|benefit| &benefit.key)), faults);
    model.costs.iter().for_each(|cost| check_not_negative("a risk", &cost.risk, faults));
    if let Some(place) = fields.given("grades") {
        for grade in GRADES.iter().filter(|grade| model.grades.iter().all(|known| *known.key != **grade)) {
            faults.push(Diagnostic::new(place, format!("there is no grade `{grade}`")));
        }
    }
    model.cases = fields.maps("cases").iter().map(|fields| case(fields, &model, faults)).collect();
    check_unique("case", model.cases.iter().map(|case| &case.key), faults);
    model
}

fn values(numbers: &[Located<f64>]) -> Vec<f64> {
    numbers.iter().map(|number| number.value).collect()
}

fn grade(fields: &Fields<'_>) -> Grade {
    Grade { key: fields.needed("grade"), name: fields.label("name"), haircut: decimal(fields, "haircut").value }
}

fn cost(fields: &Fields<'_>) -> Cost {
    Cost {
        key: fields.needed("cost"),
        code: fields.needed("code").value,
        name: fields.label("name"),
        examples: fields.label("examples"),
        timing: fields.label("timing"),
        risk: decimal(fields, "risk"),
    }
}

fn benefit(fields: &Fields<'_>, ramp: &[f64]) -> Benefit {
    let own = values(&decimals(fields, "ramp"));
    Benefit {
        key: fields.needed("benefit"),
        code: fields.needed("code").value,
        name: fields.label("name"),
        formula: fields.label("formula"),
        evidence: fields.label("evidence"),
        methods: fields.texts("methods").into_iter().map(|method| method.value).collect(),
        grade: fields.needed("grade"),
        risk: decimal(fields, "risk").value,
        ramp: if fields.given("ramp").is_some() { own } else { ramp.to_vec() },
        decay: decimal(fields, "decay").value,
        most_converted: fields.number("most_converted").map(|most| most.value),
    }
}

fn case(fields: &Fields<'_>, model: &Model, faults: &mut Vec<Diagnostic>) -> Case {
    let key = fields.needed("case");
    let whose = format!("case `{}`", *key);
    let periods = fields.number("periods").map(|periods| periods.value);
    let readings: Vec<Reading> = fields.maps("readings").iter().map(|fields| reading(fields, faults)).collect();
    check_unique("reading", readings.iter().map(|reading| &reading.key), faults);
    let facts: Vec<Fact> = fields.maps("facts").iter().map(fact).collect();
    check_unique("figure", facts.iter().map(|fact| &fact.key), faults);
    let lines: Vec<Line> = fields.maps("lines").iter().map(|fields| line(fields, periods, model, faults)).collect();
    check_unique("line", lines.iter().map(|line| &line.key), faults);
    for reading in lines.iter().filter_map(|line| line.reading.as_ref()) {
        if !readings.iter().any(|known| *known.key == **reading) {
            let hint = did_you_mean(reading, readings.iter().map(|known| known.key.as_str()));
            faults.push(Diagnostic::new(&reading.place, format!("{whose} has no reading `{}`{hint}", **reading)));
        }
    }
    let terms = terms(fields, faults);
    let case = Case {
        key,
        name: fields.label("name"),
        organisation: fields.label("organisation"),
        note: fields.label("note"),
        read_only: fields.boolean("read_only"),
        currency: fields.needed("currency").value,
        start: fields.text("start").and_then(|day| time::parse(&day)),
        period: match fields.needed("period").as_str() {
            "month" => Period::Month,
            "quarter" => Period::Quarter,
            _ => Period::Year,
        },
        periods: periods.unwrap_or_default(),
        terms,
        facts,
        readings,
        lines,
    };
    check_flows(&case, fields, &whose, faults);
    case
}

/// A case needs a cost and a benefit, under each of its readings.
fn check_flows(case: &Case, fields: &Fields<'_>, whose: &str, faults: &mut Vec<Diagnostic>) {
    // A line that was refused may be the one that is missed.
    if fields.given("lines").is_none() || case.lines.len() != fields.items("lines").len() {
        return;
    }
    let place = place_of(fields, "lines");
    let mut check = |whose: &str, lines: Vec<&Line>| {
        let side = |benefit: bool| lines.iter().filter(|line| line.benefit == benefit).collect::<Vec<_>>();
        check_some(whose, "line of costs", &side(false), &place, faults);
        check_some(whose, "line of benefits", &side(true), &place, faults);
    };
    match case.readings.as_slice() {
        [] => check(whose, case.lines.iter().collect()),
        readings => readings.iter().for_each(|reading| {
            check(&format!("{whose}, reading `{}`,", *reading.key), case.lines_of(&reading.key).collect());
        }),
    }
}

fn terms(case: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Terms {
    let Some(fields) = case.map("terms") else {
        let (rate, basis) = (0.0, Basis::Illustrative);
        return Terms {
            real: false,
            rate,
            finance_rate: rate,
            reinvest_rate: rate,
            tax: 0.0,
            mid_period: false,
            basis,
        };
    };
    let mut rate = |name: &str| {
        let rate = fields.number::<f64>(name)?;
        if *rate <= -1.0 {
            faults.push(Diagnostic::new(&rate.place, format!("`{name}` must be above -1, not `{}`", *rate)));
        }
        Some(rate.value)
    };
    let discount = rate("rate").unwrap_or_default();
    Terms {
        real: *fields.needed("rates") == "real",
        rate: discount,
        finance_rate: rate("finance_rate").unwrap_or(discount),
        reinvest_rate: rate("reinvest_rate").unwrap_or(discount),
        tax: decimal(&fields, "tax").value,
        mid_period: fields.boolean("mid_period"),
        basis: basis(&fields),
    }
}

fn fact(fields: &Fields<'_>) -> Fact {
    Fact {
        key: fields.needed("fact"),
        name: fields.label("name"),
        value: decimal(fields, "value").value,
        unit: fields.needed("unit").value,
        bound: fields.text("bound").map(|bound| bound.value),
        basis: basis(fields),
    }
}

fn reading(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Reading {
    let results: Vec<Fact> = fields.maps("results").iter().map(fact).collect();
    check_unique("figure", results.iter().map(|fact| &fact.key), faults);
    Reading {
        key: fields.needed("reading"),
        name: fields.label("name"),
        assumes: fields.label("assumes"),
        arithmetic: fields.needed("arithmetic").value,
        results,
    }
}

fn line(fields: &Fields<'_>, periods: Option<usize>, model: &Model, faults: &mut Vec<Diagnostic>) -> Line {
    let key = fields.needed("line");
    let whose = format!("line `{}`", *key);
    let category = fields.needed("category");
    let cost = model.costs.iter().find(|cost| *cost.key == *category);
    let benefit = model.benefits.iter().find(|benefit| *benefit.key == *category);
    if cost.is_none() && benefit.is_none() && !category.is_empty() {
        let costs = model.costs.iter().map(|cost| cost.key.as_str());
        let hint = did_you_mean(&category, costs.chain(model.benefits.iter().map(|benefit| benefit.key.as_str())));
        faults.push(Diagnostic::new(&category.place, format!("{whose}: there is no category `{}`{hint}", *category)));
    }
    for name in ["grade", "share", "fact"] {
        if let Some(place) = fields.given(name).filter(|_| cost.is_some()) {
            faults.push(Diagnostic::new(place, format!("{whose} is a cost, so it can have no `{name}`")));
        }
    }
    let usual = cost.map(|cost| cost.risk.value).or_else(|| benefit.map(|benefit| benefit.risk)).unwrap_or_default();
    let risk = fields.number("risk").unwrap_or_else(|| Located { value: usual, place: fields.place().clone() });
    check_not_negative("a risk", &risk, faults);
    if benefit.is_some() && *risk > 1.0 {
        faults.push(Diagnostic::new(
            &risk.place,
            format!("{whose}: the risk of a benefit is at most 1, not `{}`", *risk),
        ));
    }
    let likely = decimals(fields, "likely");
    let or_likely = |name: &str| if fields.given(name).is_some() { decimals(fields, name) } else { likely.clone() };
    let (low, high) = (or_likely("low"), or_likely("high"));
    check_estimates(fields, &whose, periods, [&low, &likely, &high], faults);
    Line {
        benefit: benefit.is_some(),
        name: fields.label("name"),
        basis: basis(fields),
        reading: fields.text("reading"),
        risk,
        grade: fields.text("grade").or_else(|| benefit.map(|benefit| benefit.grade.clone())),
        share: fields.number("share").map_or(1.0, |share| share.value),
        fact: fields.text("fact").map(|fact| fact.value),
        form: if *fields.needed("form") == "pert" { Form::Pert } else { Form::Triangular },
        low: values(&low),
        likely: values(&likely),
        high: values(&high),
        key,
        category,
    }
}

/// A value for each period, and low ≤ likely ≤ high.
fn check_estimates(
    fields: &Fields<'_>,
    whose: &str,
    periods: Option<usize>,
    [low, likely, high]: [&[Located<f64>]; 3],
    faults: &mut Vec<Diagnostic>,
) {
    for name in ["low", "likely", "high"] {
        let count = fields.items(name).len();
        if let (Some(place), Some(periods)) = (fields.given(name), periods.filter(|periods| *periods != count)) {
            let message = format!("{whose}: `{name}` has {count} values; the case has {periods} periods");
            faults.push(Diagnostic::new(place, message));
        }
    }
    for (period, likely) in likely.iter().enumerate() {
        let (low, high) = (low.get(period), high.get(period));
        if let Some(low) = low.filter(|low| ***low > **likely) {
            let message = format!("{whose}: `low` of period {period} is above `likely`, which is `{}`", **likely);
            faults.push(Diagnostic::new(&low.place, message));
        }
        if let Some(high) = high.filter(|high| ***high < **likely) {
            let message = format!("{whose}: `high` of period {period} is below `likely`, which is `{}`", **likely);
            faults.push(Diagnostic::new(&high.place, message));
        }
    }
}
