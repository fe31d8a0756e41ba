//! Favourites: the reports that a login has marked. Nobody else sees them, and nothing but the order of a list depends on them.

use std::collections::BTreeSet;

use super::{Catalog, failed, micros};
use crate::error::Result;

impl Catalog {
    /// Names of the reports that a login has marked. One may not be there any more, or not for this login.
    ///
    /// # Errors
    /// The database's.
    pub async fn favourites(&self, login: &str) -> Result<BTreeSet<String>> {
        let names: Vec<String> = sqlx::query_scalar("SELECT report FROM favourite WHERE login = $1")
            .bind(login)
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading favourites"))?;
        Ok(names.into_iter().collect())
    }

    /// Marks a report for a login, or takes the mark away. Doing it again changes nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn mark_favourite(&self, login: &str, report: &str, on: bool) -> Result<()> {
        let change = match on {
            true => sqlx::query(
                "INSERT INTO favourite (login, report, marked_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(login)
            .bind(report)
            .bind(micros(self.now())),
            false => sqlx::query("DELETE FROM favourite WHERE login = $1 AND report = $2").bind(login).bind(report),
        };
        change.execute(&self.inner.writer).await.map_err(failed("marking a favourite"))?;
        Ok(())
    }
}
