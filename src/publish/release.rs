//! Release: a run that a gate holds is let go by a second pair of eyes, and every edition of it says so.
//!
//! In: a held run, and somebody with the role [`RELEASER`] over the whole bank who did not start it. Out: the run is ready again
//! with what was looked at: its snapshot, the report's definition, its failed gates and the hash of each reading. What is read then
//! and is not that is held anew, so that nothing is published that nobody saw; nor is what was published from newer data since.

use super::{Publisher, Schedule};
use crate::auth::{Only, Principal, Scope};
use crate::catalog::{self, Held, RunRow};
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang};
use crate::report::Release;

/// The role that releases: it approves what others made, and neither starts runs nor reads a cube by itself.
pub const RELEASER: &str = "reviewer";

/// Whether somebody may release held runs at all; a token that was narrowed does not.
pub fn may_release(principal: &Principal) -> bool {
    principal.scope == Scope::HeadOffice && principal.only == Only::default() && principal.has_role(RELEASER)
}

impl Publisher {
    /// Lets a run of a schedule go that a gate holds.
    ///
    /// # Errors
    /// `DENIED` without the role, and for whoever started the run or tried it again last; `CONFLICT` for a run that no gate holds,
    /// or not any more, and where the period was published from a newer snapshot since.
    pub async fn release(&self, schedule: Schedule<'_>, run: &RunRow, by: &Principal, reason: &str) -> Result<()> {
        if !may_release(by) {
            let message = format!("A held run is released by the role `{RELEASER}` over the whole bank.");
            return Err(Error::new(Code::Denied, message));
        }
        let not_held = || Error::new(Code::Conflict, format!("Run {} is not held by a gate.", run.id));
        let held = run.held().filter(|_| run.schedule == schedule.name()).ok_or_else(not_held)?;
        if run.started_by.as_deref() == Some(by.name.as_str()) {
            let message = "Who started a run does not release it: that is for somebody else.";
            return Err(Error::new(Code::Denied, message));
        }
        if let Some(why) = self.overtaken(schedule, &held).await? {
            return Err(Error::new(Code::Conflict, why));
        }
        let release = catalog::Release {
            by: by.name.clone(),
            role: RELEASER.to_owned(),
            at: self.0.clock.now(),
            reason: reason.to_owned(),
            held,
        };
        match self.0.catalog.release_run(run, &release).await? {
            true => Ok(()),
            false => Err(not_held()),
        }
    }

    /// Whether a run can be released as it was read: a gate holds it, and nothing newer of its period was published.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn is_releasable(&self, schedule: Schedule<'_>, run: &RunRow) -> Result<bool> {
        match run.held() {
            Some(held) => Ok(self.overtaken(schedule, &held).await?.is_none()),
            None => Ok(false),
        }
    }

    /// Why what is held is not to be published any more: the period was, from a newer snapshot.
    pub(super) async fn overtaken(&self, schedule: Schedule<'_>, held: &Held) -> Result<Option<String>> {
        let newest = self.0.catalog.newest_snapshot(&schedule.report.name, &held.period).await?;
        Ok(newest.filter(|newest| *newest > held.snapshot).map(|newest| {
            let (period, snapshot) = (&held.period, held.snapshot);
            format!("{period} was published from snapshot {newest} since: snapshot {snapshot} is too old")
        }))
    }
}

/// Whether what is held now is what was released.
pub(super) fn covers(release: &catalog::Release, now: &Held) -> bool {
    release.held.snapshot == now.snapshot
        && release.held.report == now.report
        && release.held.period == now.period
        && release.held.readings == now.readings
        && now.gates.iter().all(|gate| release.held.gates.contains(gate))
}

/// What an edition says of its release. What a gate found names branches and figures, so only an edition that shows the `whole` of
/// what the schedule reads has it.
pub(super) fn told(release: &catalog::Release, whole: bool) -> Release {
    let gates = &release.held.gates;
    Release {
        by: release.by.clone(),
        role: release.role.clone(),
        at: release.at,
        reason: release.reason.clone(),
        gates: gates.iter().map(|gate| gate.gate.clone()).collect(),
        found: gates.iter().filter(|_| whole).map(|gate| gate.why.clone()).collect(),
    }
}

/// The sentence that stands at the top of the edition, and of what is sent of it.
pub fn sentence(lang: Lang, release: &Release) -> String {
    let word = |key: String| locale::message(lang, &key, &[]);
    let list = locale::message(lang, "list-separator", &[]);
    let gates = release.gates.iter().map(|gate| word(format!("gate-{gate}"))).collect::<Vec<_>>().join(&list);
    let role = word(format!("portal-role-{}", release.role));
    let at = release.at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let words = [
        ("gates", (&gates).into()),
        ("by", (&release.by).into()),
        ("role", (&role).into()),
        ("at", (&at).into()),
        ("reason", (&release.reason).into()),
    ];
    locale::message(lang, "edition-released", &words)
}

#[cfg(test)]
mod tests;
