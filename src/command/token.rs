//! `countinghouse token create|list|revoke`

use std::collections::BTreeSet;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::{Place, say};
use crate::app::App;
use crate::auth::{Entry, TokenScope};
use crate::error::Result;

/// What to do with tokens.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Create a token for a user; it is printed once and stored only as a hash.
    Create {
        /// Whose rights it carries.
        user: String,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        label: String,
        /// Days until it expires, at most 90.
        #[arg(long, default_value_t = 30)]
        days: i64,
        /// Only this cube; may be given several times. All that the user has unless given.
        #[arg(long = "cube", value_name = "NAME")]
        cubes: Vec<String>,
        /// Only this report, and no SQL; may be given several times.
        #[arg(long = "report", value_name = "NAME")]
        reports: Vec<String>,
        /// Only at this face; may be given several times.
        #[arg(long = "face", value_enum, value_name = "FACE")]
        faces: Vec<Face>,
        /// Only from this network, as `10.2.0.0/16`; may be given several times.
        #[arg(long = "from", value_name = "NETWORK")]
        networks: Vec<IpNet>,
    },
    /// Tokens of a user, or of all.
    List {
        /// Whose.
        user: Option<String>,
    },
    /// Revoke a token.
    Revoke {
        /// Its id, as `list` shows it.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Face {
    /// Pages and the JSON interface.
    Http,
    /// Arrow Flight SQL.
    Flight,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let auth = &app.services.auth;
    match arguments.what {
        What::Create { user, label, days, cubes, reports, faces, networks } => {
            let some = |names: Vec<String>| (!names.is_empty()).then(|| names.into_iter().collect());
            let faces = faces.into_iter().map(|face| match face {
                Face::Http => Entry::Http,
                Face::Flight => Entry::Flight,
            });
            let faces: BTreeSet<Entry> = faces.collect();
            let scope = TokenScope {
                cubes: some(cubes),
                reports: some(reports),
                faces: Some(faces).filter(|faces| !faces.is_empty()),
                networks,
            };
            app.services.check_token_scope(&scope)?;
            say(&auth.create_token(&user, &label, days, &scope).await?);
        }
        What::List { user } => {
            for token in auth.tokens(user.as_deref()).await? {
                let state = if token.revoked { "revoked" } else { "active" };
                let row = [&token.id, &token.user, &token.label, &token.scope].map(String::as_str).join("\t");
                say(&format!("{row}\texpires {}\t{state}", token.expires_at));
            }
        }
        What::Revoke { id } => {
            auth.revoke_token(&id).await?;
            say(&format!("revoked {id}"));
        }
    }
    Ok(())
}
