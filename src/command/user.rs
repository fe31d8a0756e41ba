//! `countinghouse user add|list|change|password|email|disable|enable`

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::{Place, say};
use crate::app::App;
use crate::auth::Scope;
use crate::error::{Code, Error, Result};

/// What to do with users.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a user; the password is read from standard input (one line, at least 12 characters; empty: tokens only).
    Add {
        /// Login name.
        name: String,
        #[command(flatten)]
        rights: Rights,
    },
    /// Give a user other roles and another scope, from the next statement on.
    Change {
        /// Login name.
        name: String,
        #[command(flatten)]
        rights: Rights,
    },
    /// Give a user another password, read from standard input, and end the user's sessions.
    Password {
        /// Login name.
        name: String,
    },
    /// Where a user's editions are mailed to.
    Email {
        /// Login name.
        name: String,
        /// Address; none: nothing is mailed.
        address: Option<String>,
    },
    /// All users with their roles and scope.
    List,
    /// Refuse a user's logins, sessions and tokens.
    Disable {
        /// Login name.
        name: String,
    },
    /// Let a disabled user in again.
    Enable {
        /// Login name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct Rights {
    /// Roles: administrator, analyst, reader, publisher, auditor, and those that the project declares.
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<String>,
    /// Branches that the user sees; the whole bank when none is named.
    #[arg(long = "branch", value_name = "KEY")]
    branches: Vec<String>,
    /// Within those branches only what stands under these members of a level, as `sub_branch=Hill Street|Harbour`.
    #[arg(long, value_name = "LEVEL=MEMBER", requires = "branches")]
    within: Option<String>,
}

impl Rights {
    fn read(self) -> Result<(BTreeSet<String>, Scope)> {
        let scope = match (self.branches.is_empty(), self.within) {
            (true, _) => Scope::HeadOffice,
            (false, None) => Scope::Branches(self.branches.into_iter().collect()),
            (false, Some(within)) => format!("{}/{within}", self.branches.join(",")).parse()?,
        };
        Ok((self.roles.into_iter().collect(), scope))
    }
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let auth = &app.services.auth;
    match arguments.what {
        What::Add { name, rights } => {
            let password = password()?;
            let (roles, scope) = rights.read()?;
            auth.create_user(&name, Some(password).filter(|password| !password.is_empty()), roles, scope).await?;
            say(&format!("added {name}"));
        }
        What::Change { name, rights } => {
            let (roles, scope) = rights.read()?;
            auth.set_rights(&name, roles, scope).await?;
            say(&format!("changed {name}"));
        }
        What::Password { name } => {
            auth.set_password(&name, password()?).await?;
            say(&format!("changed the password of {name}"));
        }
        What::Email { name, address } => {
            auth.set_email(&name, address.as_deref()).await?;
            say(&format!("changed the address of {name}"));
        }
        What::List => {
            for user in auth.users().await? {
                let state = if user.disabled { "disabled" } else { "active" };
                say(&format!("{}\t{}\t{}\t{state}", user.name, user.roles.join(","), user.scope));
            }
        }
        What::Disable { name } => switch(&app, &name, true).await?,
        What::Enable { name } => switch(&app, &name, false).await?,
    }
    Ok(())
}

/// One line of standard input.
fn password() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Error::internal("cannot read the password", error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn switch(app: &App, name: &str, disabled: bool) -> Result<()> {
    let auth = &app.services.auth;
    if !auth.users().await?.iter().any(|user| user.name == name) {
        return Err(Error::new(Code::NoSuchObject, format!("there is no user `{name}`")));
    }
    auth.set_disabled(name, disabled).await?;
    say(&format!("{} {name}", if disabled { "disabled" } else { "enabled" }));
    Ok(())
}
