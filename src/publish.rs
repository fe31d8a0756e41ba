//! Publication: reports become editions, and editions reach people.
//!
//! In: a claimed run of a schedule. Out: editions on the shelf and in the catalog, with the deliveries that follow, in one
//! transaction; or the reason why nothing was published. A run reads one snapshot. It runs once for each distinct reading of
//! its readers (`query::Reading`), under those rights, and what it makes opens to nobody who may see less. Datasets run first:
//! where their rows are those of the version before, there is no new version. Nothing leaves from here: `delivery` sends what is
//! frozen.

mod alert;
mod changes;
pub mod channel;
mod delivery;
mod edition;
mod gate;
mod release;
mod retry;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use self::edition::Left;
use crate::auth::{Auth, Principal, Scope, sha256_hex};
use crate::catalog::{Catalog, Claim, DeliveryRow, EditionFilter, EditionRow, Ending, Held, RunRow};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::locale::Lang;
use crate::model::report::{Publication, Report};
use crate::model::role::BUILT_IN;
use crate::model::{Diagnostic, Located};
use crate::query::{Branch, Door, HEAD_OFFICE, HeadInfo, Reading};
use crate::report::document::Block;
use crate::report::format::{self, Tools};
use crate::report::{self, Ask, Document, Imprint, Release};
use crate::storage;

pub use alert::{State as AlertState, Watch, report_address};
pub use changes::{CellChange, Changes, DatasetChanges};
pub use delivery::notice_id;
pub use edition::{Completeness, Entry, File, MANIFEST, Manifest, Shelf, Swept, Texts};
pub use release::{RELEASER, may_release, sentence as release_sentence};

/// Publishes; clones share it.
#[derive(Debug, Clone)]
pub struct Publisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    door: Door,
    auth: Auth,
    catalog: Catalog,
    reports: Arc<Vec<Report>>,
    shelf: Shelf,
    tools: Tools,
    clock: Clock,
    channels: Vec<Arc<dyn channel::Channel>>,
}

/// A schedule: a report and one of its publications.
#[derive(Debug, Clone, Copy)]
pub struct Schedule<'a> {
    pub report: &'a Report,
    pub publication: &'a Publication,
}

impl Schedule<'_> {
    /// `report/id`.
    pub fn name(&self) -> String {
        format!("{}/{}", *self.report.name, *self.publication.id)
    }
}

/// One reading that a run makes an edition for.
#[derive(Debug, Clone)]
struct Part {
    principal: Principal,
    /// The schema it reads.
    schema: String,
    /// As in the link.
    scope: String,
    reading: Reading,
    /// Who is written to: login, address, roles.
    readers: Vec<(String, String, Vec<String>)>,
}

/// Whom a schedule reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    pub recipients: usize,
    /// Distinct readings, so editions.
    pub readings: usize,
    /// Those that are a branch each.
    pub branches: usize,
    /// Files in the formats that are published.
    pub files: usize,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub editions: usize,
    pub unchanged: usize,
    pub deliveries: usize,
    pub message: String,
}

impl Publisher {
    /// Opens the place of editions and the channels of the settings.
    ///
    /// # Errors
    /// `DEFINITION` for a place or a channel that cannot be used.
    pub fn open(
        config: Arc<Config>,
        door: Door,
        auth: Auth,
        catalog: Catalog,
        reports: Arc<Vec<Report>>,
        tools: Tools,
        clock: Clock,
    ) -> Result<Self> {
        let shelf = Shelf::new(storage::open(&config.publish.editions, &config.state)?.store());
        let setup =
            channel::Setup { config: &config.channels, project: &config.name, state: &config.state, clock: &clock };
        let channels = channel::open(&setup)?;
        Ok(Self(Arc::new(Inner { config, door, auth, catalog, reports, shelf, tools, clock, channels })))
    }

    /// Where editions lie.
    pub fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    /// What formats need.
    pub fn tools(&self) -> &Tools {
        &self.0.tools
    }

    /// All schedules, by report.
    pub fn schedules(&self) -> impl Iterator<Item = Schedule<'_>> {
        self.0
            .reports
            .iter()
            .flat_map(|report| report.publish.iter().map(move |publication| Schedule { report, publication }))
    }

    /// The schedule `report/id`.
    ///
    /// # Errors
    /// `NO_SUCH_OBJECT` with the names there are.
    pub fn schedule(&self, name: &str) -> Result<Schedule<'_>> {
        self.schedules().find(|schedule| schedule.name() == name).ok_or_else(|| {
            let names: Vec<_> = self.schedules().map(|schedule| format!("`{}`", schedule.name())).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::new(Code::NoSuchObject, format!("There is no schedule `{name}`; there are: {names}."))
        })
    }

    /// Whether somebody may open an edition today: the report, and as much of the bank as it shows.
    pub fn may_open(&self, principal: &Principal, edition: &EditionRow) -> bool {
        let Some(report) = self.0.reports.iter().find(|report| *report.name == edition.report) else { return false };
        if !report::may_open(&self.0.door, report, principal) {
            return false;
        }
        // By the cubes that it was made from, not by those that the report names today.
        serde_json::from_value::<Reading>(edition.reading.clone())
            .is_ok_and(|reading| self.0.door.sees(principal, &reading))
    }

    /// The edition of a hash or link, for somebody who may open it.
    ///
    /// # Errors
    /// `NO_SUCH_OBJECT`, in the same words for what does not exist and what this reader may not see; the second is audited.
    pub async fn open_edition(&self, principal: &Principal, found: Option<EditionRow>) -> Result<EditionRow> {
        let none = || Error::new(Code::NoSuchObject, "There is no such edition, or no right to open it.");
        let Some(edition) = found else { return Err(none()) };
        if self.may_open(principal, &edition) {
            return Ok(edition);
        }
        let detail = json!({"edition": edition.id, "report": edition.report, "scope": edition.scope});
        self.0.catalog.audit("edition_refused", &principal.name, detail).await?;
        Err(none())
    }

    /// Does a claimed run to its end: what it publishes, or why not, stands in the catalog afterwards.
    ///
    /// # Errors
    /// `BUSY` when the claim was lost; the catalog's own faults. A run that fails is recorded, not returned.
    pub async fn run(&self, claim: &Claim) -> Result<Published> {
        if let Some(watch) = self.watch_of(&claim.run.schedule) {
            return Box::pin(self.evaluate(claim, watch)).await;
        }
        let made = tokio::select! {
            made = self.publish(claim) => made,
            () = claim.lost.cancelled() => return Err(Error::new(Code::Busy, "The run was taken over by another process.")),
        };
        let catalog = &self.0.catalog;
        let nothing =
            |message: &str| Published { editions: 0, unchanged: 0, deliveries: 0, message: message.to_owned() };
        match made {
            Ok(Made::Frozen(published)) => Ok(published),
            Ok(Made::Unchanged(count)) => {
                let message = format!("{count} editions: nothing changed");
                catalog.end_run(claim, Ending::Succeeded, &message, &json!({"unchanged": count})).await?;
                Ok(Published { unchanged: count, ..nothing(&message) })
            }
            Ok(Made::Held(why, held)) => {
                catalog
                    .end_run(claim, Ending::Held, &why, &held.map_or(json!({}), |held| json!({"held": held})))
                    .await?;
                Ok(nothing(&why))
            }
            Err(error) if error.code() == Code::Busy && claim.lost.is_cancelled() => Err(error),
            Err(error) => {
                let message = error.message().to_owned();
                let ending = ending(&error, self.0.clock.now(), &claim.run);
                tracing::warn!(?error, schedule = claim.run.schedule, "a run failed");
                catalog.end_run(claim, ending, &message, &json!({"code": error.code().as_str()})).await?;
                Ok(nothing(&message))
            }
        }
    }

    async fn publish(&self, claim: &Claim) -> Result<Made> {
        let run = &claim.run;
        let schedule = self.schedule(&run.schedule)?;
        let Schedule { report, publication } = schedule;
        // What is released is what was looked at.
        let head = match &run.release {
            Some(release) => {
                if let Some(why) = self.overtaken(schedule, &release.held).await? {
                    return Ok(Made::Held(why, None));
                }
                self.0.door.head_at(release.held.snapshot).await?
            }
            None => self.0.door.head().await?,
        };
        let parts = self.parts(schedule).await?;
        if parts.is_empty() {
            return Ok(Made::Held("the schedule has no readers: nobody has its roles".into(), None));
        }

        // Everything is read before anything is drawn: a gate looks at all of it.
        let mut read: Vec<(Part, Vec<Document>)> = Vec::with_capacity(parts.len());
        let mut left_out = Vec::new();
        for part in parts {
            match self.documents(schedule, &part, &head, run.as_of).await {
                Ok(documents) => read.push((part, documents)),
                // One reader whose rights do not carry the report keeps nobody else from theirs.
                Err(error) if part.scope != part.schema && !is_transient(error.code()) => {
                    tracing::warn!(?error, schedule = run.schedule, scope = part.scope, "a reader gets no edition");
                    let names: Vec<&str> = part.readers.iter().map(|(login, ..)| login.as_str()).collect();
                    left_out.push(format!("{}: no edition, {}", names.join(", "), error.code().as_str()));
                }
                Err(error) => return Err(error),
            }
        }
        let verdict = gate::judge(publication, &read, report, run.partial, &self.0.tools.fonts);
        let mut remarks = verdict.remarks;
        // Head office as the schedule reads it stands first.
        let everything = read.first().map(|(part, _)| part.reading.clone());
        let first = read.first().and_then(|(_, documents)| documents.first());
        let of_period = first.map(|document| period(report, document.as_of)).unwrap_or_default();
        let release = if verdict.failed.is_empty() {
            None
        } else {
            let why = verdict.failed.iter().map(|gate| gate.why.as_str()).collect::<Vec<_>>().join("; ");
            let readings = read.iter().map(|(part, documents)| (part.scope.clone(), edition::rows_hash(documents)));
            let held = Held {
                snapshot: head.snapshot_id,
                report: report.digest.clone(),
                period: of_period,
                readings: readings.collect(),
                gates: verdict.failed,
            };
            match &run.release {
                None => return Ok(Made::Held(why, Some(held))),
                Some(release) if !release::covers(release, &held) => {
                    let why = format!("{why}; what was released is not what is read now");
                    return Ok(Made::Held(why, Some(held)));
                }
                Some(release) => {
                    remarks.push(format!("released by {} ({}): {why}", release.by, release.role));
                    Some(release)
                }
            }
        };
        let at = run.published_at.unwrap_or(run.created_at);
        let mut rows = Vec::new();
        let mut deliveries = Vec::new();
        let mut unchanged = 0;
        for (part, documents) in read {
            // A branch is told of its own close only, and who is shown less of no figure.
            let sees_all = everything.as_ref().is_some_and(|everything| part.reading.covers(everything));
            let said: &[String] = if sees_all { &remarks } else { &[] };
            let release = release.map(|release| release::told(release, sees_all));
            match self.edition(schedule, &part, documents, said, release, at).await? {
                None => unchanged += 1,
                Some(row) => {
                    deliveries.extend(self.deliveries(schedule, &part, &row, run));
                    rows.push(row);
                }
            }
        }
        fail_point("publish.before_freeze");
        if rows.is_empty() {
            return Ok(Made::Unchanged(unchanged));
        }
        let figures = format!("editions {}, unchanged {unchanged}, deliveries {}", rows.len(), deliveries.len());
        let message = std::iter::once(figures).chain(remarks).chain(left_out.clone()).collect::<Vec<_>>().join("; ");
        let result = json!({
            "editions": rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
            "unchanged": unchanged,
            "deliveries": deliveries.len(),
            "snapshot": head.snapshot_id,
            "left_out": left_out,
        });
        self.0.catalog.freeze(claim, &rows, &deliveries, &message, &result).await?;
        fail_point("publish.after_freeze");
        Ok(Made::Frozen(Published { editions: rows.len(), unchanged, deliveries: deliveries.len(), message }))
    }

    /// All branches of the bank, in the order of their keys.
    ///
    /// # Errors
    /// The door's; `NO_SNAPSHOT` before the first load.
    pub async fn branches(&self, schedule: Schedule<'_>) -> Result<Vec<Branch>> {
        let roles = std::iter::once(schedule.publication.role.value.clone()).collect();
        let everything = Principal::new(format!("schedule:{}", schedule.name()), roles, Scope::HeadOffice);
        self.0.door.branches_of(&everything).await
    }

    /// The language of what is sent for a publication.
    pub fn language(&self, publication: &Publication) -> Lang {
        let first = self.languages(publication).into_iter().next().unwrap_or_default();
        Lang::parse(&first).unwrap_or_default()
    }

    /// Where a schedule is looked at: a URL.
    pub fn schedule_link(&self, schedule: Schedule<'_>) -> String {
        let base = self.0.config.publish.base_url.trim_end_matches('/');
        format!("{base}/schedules/{}/{}", *schedule.report.name, *schedule.publication.id)
    }

    /// The readings of a schedule: its own for each scope, and those of readers who see something else.
    async fn parts(&self, schedule: Schedule<'_>) -> Result<Vec<Part>> {
        let Schedule { report, publication } = schedule;
        let (door, cubes) = (&self.0.door, cubes(report));
        let own = |scope: Scope| {
            let roles = std::iter::once(publication.role.value.clone()).collect();
            Principal::new(format!("schedule:{}", schedule.name()), roles, scope)
        };
        let everything = own(Scope::HeadOffice);
        let branches: Vec<String> = self.branches(schedule).await?.into_iter().map(|branch| branch.key).collect();
        let branch_scope = |key: &String| Scope::Branches(std::iter::once(key.clone()).collect());
        let mut parts: Vec<Part> = Vec::new();
        let mut standard = |principal: Principal, schema: &str| {
            let reading = door.reading(&principal, &cubes);
            parts.push(Part {
                principal,
                schema: schema.to_owned(),
                scope: schema.to_owned(),
                reading,
                readers: Vec::new(),
            });
        };
        standard(everything, HEAD_OFFICE);
        if publication.burst {
            for key in &branches {
                standard(own(branch_scope(key)), key);
            }
        }
        let roles: Vec<&str> = publication.to.iter().flat_map(|to| &to.roles).map(|role| role.as_str()).collect();
        for user in self.0.catalog.users().await?.into_iter().filter(|user| !user.disabled) {
            if !user.roles.iter().any(|role| roles.contains(&role.as_str())) {
                continue;
            }
            let Some(principal) = self.usable(&user.name).await? else { continue };
            if !report::may_open(door, report, &principal) {
                continue;
            }
            // One of several branches gets each branch's own edition: that is what they are made for.
            let scopes: Vec<(String, Scope)> = match &principal.scope {
                Scope::HeadOffice => vec![(HEAD_OFFICE.to_owned(), Scope::HeadOffice)],
                Scope::Branches(keys) => keys.iter().map(|key| (key.clone(), branch_scope(key))).collect(),
                Scope::Within { branches, level, members } => {
                    let within = |key: &String| Scope::Within {
                        branches: std::iter::once(key.clone()).collect(),
                        level: level.clone(),
                        members: members.clone(),
                    };
                    branches.iter().map(|key| (key.clone(), within(key))).collect()
                }
            };
            for (schema, scope) in scopes {
                let as_reader = Principal::new(format!("schedule:{}", schedule.name()), principal.roles.clone(), scope);
                let reading = door.reading(&as_reader, &cubes);
                let reader = (user.name.clone(), user.email.clone().unwrap_or_default(), user.roles.clone());
                match parts.iter_mut().find(|part| part.reading == reading && part.schema == schema) {
                    Some(part) => part.readers.push(reader),
                    None => {
                        let scope = format!("{schema}~{}", reading.digits());
                        parts.push(Part { principal: as_reader, schema, scope, reading, readers: vec![reader] });
                    }
                }
            }
        }
        Ok(parts)
    }

    /// Who is reached by a schedule today, and how many editions that makes.
    ///
    /// # Errors
    /// The catalog's and the door's.
    pub async fn audience(&self, schedule: Schedule<'_>) -> Result<Audience> {
        let parts = self.parts(schedule).await?;
        let own = parts.iter().filter(|part| part.scope == part.schema);
        let files = parts.len() * schedule.publication.formats.len() * self.languages(schedule.publication).len();
        Ok(Audience {
            recipients: parts.iter().map(|part| part.readers.len()).sum(),
            readings: parts.len(),
            branches: own.filter(|part| part.schema != HEAD_OFFICE).count(),
            files,
        })
    }

    async fn documents(
        &self,
        schedule: Schedule<'_>,
        part: &Part,
        head: &HeadInfo,
        as_of: Option<i32>,
    ) -> Result<Vec<Document>> {
        let mut given = BTreeMap::new();
        if let Some(day) = as_of {
            given.insert("as_of".to_owned(), vec![crate::model::time::iso(day)]);
        }
        let mut documents = Vec::new();
        for lang in self.languages(schedule.publication) {
            let ask = Ask {
                parameters: &given,
                principal: &part.principal,
                scope: Some(&part.schema),
                lang: &lang,
                head: Some(head),
                reports: &self.0.reports,
                is_shared: true,
                at: self.0.clock.now(),
            };
            documents.push(report::run(&self.0.door, schedule.report, &ask).await?);
        }
        Ok(documents)
    }

    fn languages(&self, publication: &Publication) -> Vec<String> {
        match publication.languages.is_empty() {
            true => self.0.config.languages.iter().take(1).cloned().collect(),
            false => publication.languages.iter().map(|lang| lang.value.clone()).collect(),
        }
    }

    /// The edition of one reading; none where it would say what the version before says.
    async fn edition(
        &self,
        schedule: Schedule<'_>,
        part: &Part,
        mut documents: Vec<Document>,
        remarks: &[String],
        release: Option<Release>,
        at: Timestamp,
    ) -> Result<Option<EditionRow>> {
        let Schedule { report, publication } = schedule;
        let Some(first) = documents.first() else { return Ok(None) };
        let period = period(report, first.as_of);
        let filter = EditionFilter {
            report: Some(report.name.value.clone()),
            scope: Some(part.scope.clone()),
            period: Some(period.clone()),
            limit: Some(1),
            ..EditionFilter::default()
        };
        let before = self.0.catalog.editions(&filter).await?.into_iter().next();
        let datasets = edition::dataset_hashes(&documents);
        let before = match before {
            Some(row) => {
                let manifest = Manifest::parse(&row.manifest)?;
                let seen = serde_json::from_value::<Reading>(row.reading.clone()).ok();
                let same = seen.as_ref() == Some(&part.reading);
                if same && manifest.datasets == datasets && manifest.completeness.open == first.evidence.open {
                    return Ok(None);
                }
                // What the version before showed is told again only to those who might have read it.
                let may_tell = seen.is_some_and(|seen| part.reading.covers(&seen));
                Some((row, manifest, may_tell))
            }
            None => None,
        };
        let version = before.as_ref().map_or(1, |(row, ..)| row.version + 1);
        let run_key = self.run_key(schedule, part, first);
        let link = self.link(&report.name, &part.scope, &period, version);
        for document in &mut documents {
            // Of the reading, not of whichever login happened to come first with it.
            document.evidence.fingerprint = part.reading.digest();
            document.imprint = Imprint::Edition {
                version,
                run_key: run_key.clone(),
                at,
                link: link.clone(),
                release: release.clone().map(Box::new),
            };
            if let Some(release) = &release {
                document.blocks.insert(0, Block::Message(release::sentence(document.lang, release)));
            }
        }
        let first = documents.first().expect("looked at above");
        let texts = |document: &Document| {
            let texts = Texts {
                title: document.title.clone(),
                message: document.message.clone(),
                scope: document.scope.label.clone(),
            };
            (document.lang.tag().to_owned(), texts)
        };
        let evidence = &first.evidence;
        let manifest = Manifest {
            v: 1,
            report: report.name.value.clone(),
            scope: part.scope.clone(),
            period: period.clone(),
            version,
            as_of: crate::model::time::iso(first.as_of),
            snapshot: evidence.snapshot,
            run_key: run_key.clone(),
            published_at: at,
            engine: evidence.engine.to_owned(),
            texts: documents.iter().map(texts).collect(),
            completeness: Completeness { closed: evidence.closed, of: evidence.branches, open: evidence.open.clone() },
            datasets,
            remarks: remarks.to_vec(),
            release,
            files: Vec::new(),
        };
        let changes = match &before {
            None => None,
            Some((.., false)) => None,
            Some((row, old, true)) => Some(self.changes(row, old, version, first).await?),
        };
        let (snapshot_id, as_of) = (evidence.snapshot, first.as_of);
        let mut reading =
            serde_json::to_value(&part.reading).map_err(|error| Error::internal("cannot write a reading", error))?;
        reading["audience"] = json!(report.audience);
        let person_level = report.datasets.iter().any(|dataset| dataset.person_level);
        let (tools, formats) =
            (self.0.tools.clone(), publication.formats.iter().map(|one| one.value.clone()).collect::<Vec<_>>());
        let mut files = report::draw(move || {
            let mut files = edition::render(&documents, &formats, &tools)?;
            files.extend(delivery::summaries(&documents, person_level, &tools)?);
            Ok::<_, Error>(files)
        })
        .await?;
        if let Some(changes) = &changes {
            let text = serde_json::to_vec_pretty(changes)
                .map_err(|error| Error::internal("cannot write the changes of an edition", error))?;
            files.push(File {
                name: "changes.json".into(),
                content_type: "application/json".into(),
                bytes: text.into(),
            });
        }
        let (manifest, id) = manifest.seal(&files)?;
        self.0.shelf.put(&id, &manifest, &files).await?;
        Ok(Some(EditionRow {
            id,
            report: report.name.value.clone(),
            scope: part.scope.clone(),
            period,
            version,
            schedule: schedule.name(),
            run_key,
            snapshot_id,
            as_of,
            published_at: at,
            reading,
            manifest,
            changes: changes.map(|changes| i64::try_from(changes.count()).unwrap_or(i64::MAX)),
            keep_until: publication.keep_days.map(|days| at + SignedDuration::from_hours(24 * i64::from(days))),
            removed_at: None,
            removal: None,
        }))
    }

    /// Asks the questions of an edition again at its snapshot, and compares every row; how many datasets there were.
    ///
    /// # Errors
    /// `AUDIT` when rows differ; `NO_SUCH_OBJECT` when report or schedule are not there any more.
    pub async fn rerun(&self, edition: &EditionRow) -> Result<usize> {
        let schedule = self.schedule(&edition.schedule)?;
        let manifest = Manifest::parse(&edition.manifest)?;
        let part =
            self.parts(schedule).await?.into_iter().find(|part| part.scope == edition.scope).ok_or_else(|| {
                Error::new(Code::NoSuchObject, format!("nobody reads the schedule as `{}` any more", edition.scope))
            })?;
        let head = self.0.door.head_at(edition.snapshot_id).await?;
        let documents = self.documents(schedule, &part, &head, Some(edition.as_of)).await?;
        let again = edition::dataset_hashes(&documents);
        match again == manifest.datasets {
            true => Ok(again.values().map(BTreeMap::len).sum()),
            false => {
                Err(Error::new(Code::Audit, "the same questions give other rows: report, rights or data have changed"))
            }
        }
    }

    /// Removes what runs wrote that did not come to their end: folders without a manifest that no edition names and in which nothing
    /// was written since `before`; each removal is recorded. A folder with its manifest may be the edition of another catalog over
    /// the same place, or of this one after a newer backup: it is counted and left. While a run has begun and is not done nothing is
    /// removed: what it finds of its last try it keeps.
    ///
    /// # Errors
    /// The catalog's and the store's.
    pub async fn sweep(&self, before: Timestamp) -> Result<Swept> {
        let mut swept = Swept::default();
        if self.0.catalog.has_begun_run().await? {
            return Ok(swept);
        }
        // Listed first: an edition that is frozen meanwhile is known then.
        let folders = self.0.shelf.folders().await?;
        let known = self.0.catalog.edition_ids().await?;
        for id in folders.into_iter().filter(|id| !known.contains(id)) {
            let files = match self.0.shelf.sweep(&id, before).await? {
                Left::Whole => {
                    swept.left += 1;
                    continue;
                }
                Left::Young => continue,
                Left::Removed(files) => files,
            };
            swept.removed += 1;
            self.0.catalog.audit("edition_swept", "server", json!({"folder": id, "files": files})).await?;
        }
        if swept.left > 0 {
            tracing::warn!(left = swept.left, "editions lie there that this catalog does not know");
        }
        Ok(swept)
    }

    /// Removes the files of editions whose time is over; how many.
    ///
    /// # Errors
    /// The catalog's and the store's.
    pub async fn expire(&self) -> Result<usize> {
        let over = self.0.catalog.expired_editions().await?;
        let mut removed = 0;
        for edition in &over {
            // Files first: what a stop leaves half done is found again.
            let done = self.0.shelf.remove(&edition.id, &Manifest::parse(&edition.manifest)?).await;
            match done {
                Ok(()) => self.0.catalog.end_edition(&edition.id, "kept long enough").await?,
                Err(error) => {
                    tracing::error!(?error, edition = edition.id, "an edition's files were not removed");
                    continue;
                }
            }
            removed += 1;
        }
        Ok(removed)
    }

    async fn changes(&self, row: &EditionRow, old: &Manifest, version: u32, new: &Document) -> Result<Changes> {
        let lang = new.lang.tag();
        let mut datasets = Vec::new();
        for dataset in &new.datasets {
            let name = format!("{lang}/{}.csv", dataset.name);
            let text = match old.file(&name) {
                Some(_) => String::from_utf8_lossy(&self.0.shelf.get(&row.id, old, &name).await?).into_owned(),
                None => String::new(),
            };
            let changes = changes::compare(dataset, &text);
            if changes != (DatasetChanges { name: dataset.name.clone(), ..DatasetChanges::default() }) {
                datasets.push(changes);
            }
        }
        Ok(Changes { from: row.version, to: version, datasets })
    }

    /// Decides every figure and, with language and format, every byte.
    fn run_key(&self, schedule: Schedule<'_>, part: &Part, document: &Document) -> String {
        let evidence = &document.evidence;
        let mut text = format!(
            "v1\nreport {}\nsnapshot {}\nreading {}\nengine {}\nfonts {}\n",
            schedule.report.digest,
            evidence.snapshot,
            part.reading.digest(),
            evidence.engine,
            self.0.tools.fonts.digest()
        );
        for parameter in &evidence.parameters {
            let _ = writeln!(text, "parameter {} {}", parameter.name, parameter.text());
        }
        // Which of its links stand is theirs to say.
        for other in schedule.report.leads_to(&self.0.reports) {
            let _ = writeln!(text, "leads to {} {}", *other.name, other.digest);
        }
        sha256_hex(text.as_bytes())
    }

    /// The permanent link of an edition.
    pub fn link(&self, report: &str, scope: &str, period: &str, version: u32) -> String {
        let base = self.0.config.publish.base_url.trim_end_matches('/');
        format!("{base}/r/{report}/{scope}/{period}/v{version}")
    }

    fn deliveries(&self, schedule: Schedule<'_>, part: &Part, row: &EditionRow, run: &RunRow) -> Vec<DeliveryRow> {
        let lang = self.languages(schedule.publication).into_iter().next().unwrap_or_default();
        let one = |channel: &str, recipient: &str, address: Option<&str>| {
            let EditionRow { schedule, scope, period, version, .. } = row;
            let key = format!("{schedule}\n{scope}\n{period}\n{version}\n{recipient}\n{channel}");
            let key = sha256_hex(key.as_bytes());
            DeliveryRow {
                run_id: Some(run.id),
                edition: Some(row.id.clone()),
                ..delivery::planned(key, channel, recipient, address, &lang, row.published_at)
            }
        };
        let mut found = Vec::new();
        for to in &schedule.publication.to {
            if to.roles.is_empty() {
                found.push(one(&to.channel, to.name.as_ref().unwrap_or(&to.channel), None));
                continue;
            }
            let named = |roles: &[String]| to.roles.iter().any(|role| roles.contains(role));
            for (login, address, _) in part.readers.iter().filter(|(_, _, roles)| named(roles)) {
                found.push(one(&to.channel, login, Some(address)));
            }
        }
        found
    }
}

/// What came of a run.
enum Made {
    Frozen(Published),
    Unchanged(usize),
    /// Why, and what a release would let go; none where no gate holds it.
    Held(String, Option<Held>),
}

/// Every fault of a report's publications that shows only beside the settings: formats, languages, roles, channels.
pub fn check(report: &Report, config: &Config) -> Vec<Diagnostic> {
    let mut faults = alert::check(report, config);
    let mut unsaid = Vec::new();
    let roles: Vec<&str> =
        BUILT_IN.iter().map(|(name, _)| *name).chain(config.roles.iter().map(|role| role.name.as_str())).collect();
    let mut known = |word: &Located<String>, what: &str, all: &[&str]| {
        if !all.contains(&word.as_str()) {
            let all: Vec<_> = all.iter().map(|name| format!("`{name}`")).collect();
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            faults.push(Diagnostic::new(&word.place, format!("there is no {what} `{}`; there are: {all}", **word)));
        }
    };
    let languages: Vec<&str> = config.languages.iter().map(String::as_str).collect();
    let formats: Vec<&str> = format::FORMATS.iter().map(|format| format.name()).collect();
    let channels = channel::names(&config.channels);
    for publication in &report.publish {
        known(&publication.role, "role", &roles);
        publication.formats.iter().for_each(|word| known(word, "format", &formats));
        publication.languages.iter().for_each(|word| known(word, "language", &languages));
        for to in &publication.to {
            known(&to.channel, "channel in the settings", &channels);
            to.roles.iter().for_each(|word| known(word, "role", &roles));
        }
        let tell: &[Located<String>] = publication.deadline.as_ref().map_or(&[], |deadline| &deadline.tell);
        tell.iter().for_each(|word| known(word, "role", &roles));
        if let Some(word) = tell.first()
            && !publication.to.iter().any(|to| channel::tells(&to.channel))
        {
            unsaid.push(word.place.clone());
        }
    }
    for place in unsaid {
        let message = "`tell` needs a channel that writes messages: `to` has neither `email` nor `webhook`";
        faults.push(Diagnostic::new(&place, message));
    }
    let columns = report.datasets.iter().flat_map(|dataset| dataset.foots.iter().map(move |column| (dataset, column)));
    for (dataset, column) in columns {
        if !report.publish.iter().any(|publication| publication.burst) {
            let message = format!("`foots` of dataset `{}` is for a report with a `burst`", *dataset.name);
            faults.push(Diagnostic::new(&column.place, message));
        }
    }
    faults
}

/// The period of an as-of date as it stands in a link.
pub fn period(report: &Report, as_of: i32) -> String {
    let text = crate::model::time::iso(as_of);
    let every = report
        .parameters
        .iter()
        .find(|parameter| *parameter.kind == "as_of_date")
        .and_then(|parameter| parameter.every.as_ref());
    let month: u32 = text.get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    match every.map(|every| every.as_str()) {
        Some("month") => text.get(..7).unwrap_or(&text).to_owned(),
        Some("quarter") => format!("{}-q{}", text.get(..4).unwrap_or(&text), month.div_ceil(3)),
        Some("year") => text.get(..4).unwrap_or(&text).to_owned(),
        _ => text,
    }
}

fn cubes(report: &Report) -> Vec<&str> {
    report.cubes.iter().map(|cube| cube.as_str()).collect()
}

/// How a run ends that failed: for good, or until its next try.
fn ending(error: &Error, now: Timestamp, run: &RunRow) -> Ending<'static> {
    match (is_transient(error.code()), retry::again_at(now, run.tries, &format!("run {}", run.id))) {
        (false, _) => Ending::Failed,
        (true, None) => Ending::Dead,
        (true, Some(at)) => Ending::Again(at),
    }
}

/// Whether trying again may help: a fault of the moment, not of a definition, a right or a figure.
fn is_transient(code: Code) -> bool {
    matches!(code, Code::Busy | Code::Deadline | Code::Internal)
}

#[cfg(feature = "failpoints")]
fn fail_point(name: &str) {
    fail::eval(name, |_| ());
}

#[cfg(not(feature = "failpoints"))]
fn fail_point(_: &str) {}
