//! What `usher export` is to write, here or in the server.

use std::io::Write;

use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::named::{By, subject, typed};
use crate::app::App;
use crate::export::{self, Form, Person};
use crate::model::Project;
use crate::projects;

/// What is to be exported.
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct ExportOrder {
    /// Identifier of the user; - reads it from standard input
    #[arg(value_name = "U", required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Export all users of the project, as gzipped NDJSON
    #[arg(long)]
    all: bool,
    /// Format of a user's export: a ZIP to read, or NDJSON for programs; not for --all
    #[arg(long, value_enum, default_value_t = Format::Zip, conflicts_with = "all")]
    format: Format,
    /// Type of the identifier
    #[arg(long, value_enum, default_value_t = By::Identifier)]
    by: By,
    /// Project key from `project list`; optional if there is only one project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Format {
    Zip,
    Ndjson,
}

impl ExportOrder {
    /// With the name from standard input, if it is to be read from there.
    pub fn with_name(mut self) -> anyhow::Result<ExportOrder> {
        if self.name.as_deref() == Some("-") {
            self.name = Some(typed("Name: ")?);
        }
        Ok(self)
    }

    /// Whether what is written is no text.
    pub fn is_binary(&self) -> bool {
        self.all || self.format == Format::Zip
    }

    /// Writes it; the lines to print beside it.
    pub fn write(&self, app: &App, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
        let _turn = app.exporting()?;
        let project = match &self.project {
            Some(key) => app.read(|db| projects::by_key(db, key))?,
            None => app.read(projects::only)?,
        };
        match &self.name {
            Some(name) => self.write_person(app, project, name, out),
            None => write_project(app, project, out),
        }
    }

    fn write_person(
        &self,
        app: &App,
        project: Project,
        name: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<Vec<String>> {
        let (subject, id) = (subject("U", name, self.by)?, project.id);
        let form = match self.format {
            Format::Zip => Form::Zip,
            Format::Ndjson => Form::Ndjson,
        };
        let person = app.write_blocking(move |tx| {
            let user = export::whom(tx, id, &subject)?;
            Person::take(tx, id, user.id, form)
        })?;
        person.write(app.store(), app.clock().now(), form, out)?;
        Ok(Vec::new())
    }
}

fn write_project(app: &App, project: Project, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
    let noted = project.clone();
    app.write_blocking(move |tx| export::note_project(tx, &noted))?;
    let mut packed = GzEncoder::new(out, Compression::default());
    let counts = export::write_project(app.store(), project, app.clock().now(), &mut packed)?;
    packed.finish().map_err(|error| export::of_writing(&error))?;
    let counts = counts.all().map(|(name, count)| format!("{count} {name}")).join(", ");
    Ok(vec![format!("exported {counts}")])
}
