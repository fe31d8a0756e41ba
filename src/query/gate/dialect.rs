//! The language of statements: the generic dialect, read in bounded time.
//!
//! What the parser cannot read as one thing it reads again as another, and so does what it reads inside: `CAST(CAST(CAST(`
//! without an end takes twice as long for each one more, and nothing stops a parser.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::logical_expr::sqlparser::ast::Expr;
use datafusion::logical_expr::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::logical_expr::sqlparser::parser::{Parser, ParserError};

/// Beginnings of expressions for each byte of the text. One that is read at the first attempt has at most one.
const EFFORT: usize = 8;

/// The dialect for reading one statement.
#[derive(Debug)]
pub(super) struct Bounded {
    /// Beginnings of expressions that may still be read.
    left: Cell<usize>,
}

impl Bounded {
    pub(super) fn new(sql: &str) -> Self {
        Self { left: Cell::new(1000 + EFFORT * sql.len()) }
    }
}

macro_rules! as_generic {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { GenericDialect.$name() })* };
}

/// A property that a later engine adds and this list does not have is that of plain SQL.
impl Dialect for Bounded {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, sign: char) -> bool {
        GenericDialect.is_delimited_identifier_start(sign)
    }

    fn is_identifier_start(&self, sign: char) -> bool {
        GenericDialect.is_identifier_start(sign)
    }

    fn is_identifier_part(&self, sign: char) -> bool {
        GenericDialect.is_identifier_part(sign)
    }

    fn parse_prefix(&self, _: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                None
            }
            // The only error after which the parser makes no further attempt.
            None => Some(Err(ParserError::RecursionLimitExceeded)),
        }
    }

    as_generic! {
        allow_extract_custom allow_extract_single_quotes support_map_literal_syntax
        supports_array_join_syntax supports_array_typedef_with_brackets
        supports_asc_desc_in_column_definition supports_bitwise_shift_operators
        supports_comma_separated_set_assignments supports_comma_separated_trim supports_comment_on
        supports_comment_optimizer_hint supports_connect_by supports_constraint_keyword_without_name
        supports_create_index_with_clause supports_create_view_comment_syntax supports_cte_without_as
        supports_data_type_signed_suffix supports_detach supports_dictionary_syntax
        supports_empty_projections supports_explain_with_utility_options supports_extract_comma_syntax
        supports_filter_during_aggregation supports_from_first_select supports_group_by_expr
        supports_group_by_with_modifier supports_install supports_interpolate supports_interval_options
        supports_key_column_option supports_left_associative_joins_without_parens supports_limit_by
        supports_limit_comma supports_load_extension supports_match_against supports_match_recognize
        supports_multiline_comment_hints supports_named_fn_args_with_assignment_operator
        supports_nested_comments supports_optimize_table supports_parens_around_table_factor
        supports_parenthesized_set_variables supports_partition_by_after_order_by supports_pipe_operator
        supports_prewhere supports_projection_trailing_commas supports_quote_delimited_string
        supports_select_format supports_select_item_multi_column_alias supports_select_wildcard_except
        supports_select_wildcard_exclude supports_select_wildcard_ilike supports_select_wildcard_rename
        supports_select_wildcard_replace supports_set_names supports_settings
        supports_start_transaction_modifier supports_string_escape_constant supports_struct_literal
        supports_try_convert supports_unicode_string_literal supports_update_order_by
        supports_user_host_grantee supports_values_as_table_factor
        supports_window_clause_named_window_reference supports_window_function_null_treatment_arg
        supports_with_fill supports_xml_expressions
    }
}
