//! Where the bank stands: branches and head office rolled up, without names, so that every branch may see it.

use std::collections::BTreeSet;

use super::View;
use super::maturity::{self, ASSESSMENT, Assessment};
use super::record::HEAD_OFFICE;
use super::table::{Cell, Table, Type};
use crate::analysis::maturity::{RollUp, roll_up};

/// Head office's share of the bank's score; the branches have the rest.
const HEAD_OFFICE_SHARE: f64 = 0.4;
/// Branches below which a distribution would tell of single ones.
const FEWEST: usize = 5;

/// The bank's standing in a dimension, or as a whole, by the newest locked assessment of each organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// None: the index of the whole, 0 to 100. Else continuous levels, 0 to 5.
    pub dimension: Option<String>,
    /// Branches assessed.
    pub branches: usize,
    /// None with too few branches, or while head office is not assessed.
    pub rolled: Option<RollUp>,
}

/// All standings: of the whole, then of each dimension in the model's order.
pub(super) fn standings(whole: &View) -> Vec<Standing> {
    let organisations: BTreeSet<String> =
        whole.documents::<Assessment>(ASSESSMENT).map(|(_, one)| one.organisation).collect();
    let newest: Vec<(String, Assessment)> = organisations
        .into_iter()
        .filter_map(|organisation| Some((organisation.clone(), maturity::locked(whole, &organisation).pop()?.1)))
        .collect();
    let standing = |dimension: Option<String>| {
        let score = |one: &Assessment| -> Option<f64> {
            let scores = one.scores.as_ref()?;
            match &dimension {
                None => scores.index,
                Some(key) => scores.dimensions.iter().find(|score| score.dimension == *key)?.continuous,
            }
        };
        let of = |own: bool| newest.iter().filter(move |(name, _)| (name == HEAD_OFFICE) == own);
        let branches: Vec<(f64, f64)> = of(false).filter_map(|(_, one)| Some((score(one)?, one.weight))).collect();
        let head = of(true).next().and_then(|(_, one)| score(one));
        let rolled = head.filter(|_| branches.len() >= FEWEST);
        let rolled = rolled.and_then(|head| roll_up(head, &branches, HEAD_OFFICE_SHARE).ok());
        Standing { dimension, branches: branches.len(), rolled }
    };
    let dimensions = whole.definitions.maturity.dimensions.iter().map(|dimension| Some(dimension.key.value.clone()));
    std::iter::once(None).chain(dimensions).map(standing).collect()
}

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "organisation",
        description: "Organisations that a reader may see, with the names of branches",
        columns: &[("position", Type::Integer), ("organisation", Type::Text), ("name", Type::Text)],
        rows: |view| {
            let head = view.principal.scope.branches().is_none().then_some((HEAD_OFFICE, Cell::Null));
            let branches = view.branches.iter().map(|branch| (branch.key.as_str(), Cell::text(&branch.name)));
            let numbered = head.into_iter().chain(branches).zip(0..);
            numbered.map(|((key, name), at)| vec![Cell::Integer(at), Cell::text(key), name]).collect()
        },
    },
    Table {
        name: "maturity_bank",
        description: "Where the bank stands as a whole (no dimension: index 0..100) and in each dimension (level 0..5), without \
                      names: 0.4 of head office and 0.6 of the branches by weight; null below five branches",
        columns: &[
            ("dimension", Type::Text),
            ("branches", Type::Integer),
            ("bank", Type::Number),
            ("branch_minimum", Type::Number),
            ("branch_p25", Type::Number),
            ("branch_median", Type::Number),
        ],
        rows: |view| {
            let line = |standing: &Standing| {
                let of = |figure: fn(&RollUp) -> f64| Cell::number(standing.rolled.as_ref().map(figure));
                vec![
                    Cell::some_text(standing.dimension.as_deref()),
                    Cell::Integer(i64::try_from(standing.branches).unwrap_or(i64::MAX)),
                    of(|rolled| rolled.bank),
                    of(|rolled| rolled.minimum),
                    of(|rolled| rolled.p25),
                    of(|rolled| rolled.median),
                ]
            };
            view.bank().iter().map(line).collect()
        },
    },
];
