//! `countinghouse describe cubes|cube NAME|config|schema KIND`

use clap::{Args, Subcommand};

use super::{Place, say};
use crate::config;
use crate::error::{Code, Error, Result};
use crate::model::{cube, schema};

/// What to describe.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All cubes with their levels and measures.
    Cubes,
    /// One cube.
    Cube {
        /// Its name.
        name: String,
    },
    /// Every key of countinghouse.yaml with its default.
    Config,
    /// JSON Schema of a kind of definition file, for editors.
    Schema {
        /// config, cubes, feed or report.
        kind: String,
    },
}

pub(super) fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let model = || config::load(&place.project, &place.state).and_then(|config| config::load_model(&config));
    match arguments.what {
        What::Cubes => say(&config::describe_model(&model()?)),
        What::Cube { name } => {
            let model = model()?;
            let found = model
                .cube(&name)
                .ok_or_else(|| Error::new(Code::NoSuchObject, format!("there is no cube `{name}`")))?;
            say(&cube::describe_cube(&model, found));
        }
        What::Config => say(&config::describe()),
        What::Schema { kind } => {
            let text = schema::text(&kind).ok_or_else(|| {
                let kinds = schema::KINDS.join(", ");
                Error::new(Code::BadRequest, format!("`{kind}` is not a kind of definition file; they are {kinds}"))
            })?;
            say(&text);
        }
    }
    Ok(())
}
