//! What runs now, and how somebody stops it.
//!
//! Whoever asks may sit in another process: the wish stands in the catalog, and the process that runs the statement looks
//! there. In the same round it looks whether those whose statements run still have the rights that they began with.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::Door;
use super::rows::Stop;
use crate::auth::{Auth, Principal};
use crate::catalog::QueryRow;
use crate::error::{Code, Error, Result};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

impl Door {
    /// Statements that run now, in any process, oldest first: one's own; an administrator's are all.
    pub async fn running(&self, principal: &Principal) -> Result<Vec<QueryRow>> {
        self.0.catalog.running_queries(whose(principal)).await
    }

    /// Stops a statement within about a second, wherever it runs: one's own, or for an administrator any.
    ///
    /// Errors: `NO_SUCH_OBJECT` when it does not run, or is another's.
    pub async fn stop(&self, principal: &Principal, query_id: &str) -> Result<()> {
        if !self.0.catalog.ask_to_stop(query_id, whose(principal)).await? {
            return Err(Error::new(Code::NoSuchObject, format!("no statement `{query_id}` is running")));
        }
        let detail = json!({"query_id": query_id});
        self.0.catalog.audit("statement_stopped", &principal.name, detail).await?;
        self.stop_here(query_id, Stop::Asked);
        Ok(())
    }

    /// Stops what somebody asked to stop, and what runs with rights that no longer stand; for as long as the server runs.
    pub async fn watch(&self, auth: &Auth) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.look(auth).await {
                // A catalog that cannot answer now says nothing about a login; statements have their deadline.
                tracing::warn!(?error, "cannot look after the statements that run");
            }
        }
    }

    async fn look(&self, auth: &Auth) -> Result<()> {
        let running: Vec<(String, Principal)> = {
            let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.iter().map(|(id, (principal, _))| (id.clone(), principal.clone())).collect()
        };
        if running.is_empty() {
            return Ok(());
        }
        for query_id in self.0.catalog.asked_to_stop().await? {
            self.stop_here(&query_id, Stop::Asked);
        }
        let mut judged: Vec<(&Principal, bool)> = Vec::new();
        for (query_id, principal) in &running {
            let known = judged.iter().find(|(other, _)| *other == principal).map(|(_, holds)| *holds);
            let holds = match known {
                Some(holds) => holds,
                None => auth.still_holds(principal).await?,
            };
            if known.is_none() {
                judged.push((principal, holds));
            }
            if !holds {
                self.stop_here(query_id, Stop::Rights);
            }
        }
        Ok(())
    }

    fn stop_here(&self, query_id: &str, why: Stop) {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let held = running.get(query_id).map(|(_, held)| Arc::clone(held));
        drop(running); // what is dropped with the rows leaves by this lock
        if let Some(held) = held {
            held.stop(why);
        }
    }
}

/// Whose statements somebody manages; none for everybody's.
fn whose(principal: &Principal) -> Option<&str> {
    match principal.is_administrator() {
        true => None,
        false => Some(&principal.name),
    }
}
