//! `countinghouse token create|list|revoke`

use clap::{Args, Subcommand};

use super::{Place, say};
use crate::app::App;
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

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let auth = &app.services.auth;
    match arguments.what {
        What::Create { user, label, days } => say(&auth.create_token(&user, &label, days).await?),
        What::List { user } => {
            for token in auth.tokens(user.as_deref()).await? {
                let state = if token.revoked { "revoked" } else { "active" };
                say(&format!("{}\t{}\t{}\texpires {}\t{state}", token.id, token.user, token.label, token.expires_at));
            }
        }
        What::Revoke { id } => {
            auth.revoke_token(&id).await?;
            say(&format!("revoked {id}"));
        }
    }
    Ok(())
}
