//! `countinghouse statement list|stop`

use clap::{Args, Subcommand};

use super::{Place, say};
use crate::app::App;
use crate::error::Result;

/// What to do with the statements that run, in any process over this state.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Those that run now, oldest first: id, who, face, start, text.
    List {
        /// Whose rights decide: an administrator's are all, everybody else's their own.
        #[arg(long = "as", value_name = "USER")]
        user: String,
    },
    /// Stop one, within about a second.
    Stop {
        /// Its id, as `list` shows it.
        id: String,
        /// Whose rights decide.
        #[arg(long = "as", value_name = "USER")]
        user: String,
    },
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let (auth, door) = (&app.services.auth, &app.services.door);
    match arguments.what {
        What::List { user } => {
            for row in door.running(&auth.principal(&user).await?).await? {
                let sql = row.sql.split_whitespace().collect::<Vec<_>>().join(" ");
                say(&format!("{}\t{}\t{}\t{}\t{sql}", row.query_id, row.principal, row.face, row.started_at));
            }
        }
        What::Stop { id, user } => {
            door.stop(&auth.principal(&user).await?, &id).await?;
            say(&format!("stopped {id}"));
        }
    }
    Ok(())
}
