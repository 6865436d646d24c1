//! `blob`: large data in and out, as streams; none of it passes through memory as a whole.

use crate::api::model::{BlobView, BlobsView};
use crate::cli::args::{BlobArgs, BlobVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::session::{Place, Session};
use crate::client::{get_blob, path_part, put_blob};
use crate::config::units::show_size;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

pub(super) async fn blob(place: &Place, args: BlobArgs) -> Result<u8, CliError> {
    match args.verb {
        BlobVerb::Put { file, output } => {
            let view = put(place, &file).await?;
            let mut out = Output::stdout(output.output);
            match out.format() {
                Format::Json | Format::Jsonl => out.json(&view)?,
                Format::Table | Format::Wide | Format::Id => out.text(&format!("{}\n", view.blob))?,
            }
        }
        BlobVerb::Get { hash, file } => get(place, &hash, file).await?,
        BlobVerb::Ls { output } => {
            let mut session = Session::daemon(place).await?;
            let view: BlobsView = session.client.get("/v1/blobs").await?;
            let mut out = Output::stdout(output.output);
            match out.format() {
                Format::Json | Format::Jsonl => out.json(&view)?,
                Format::Id => {
                    out.text(&view.blobs.iter().map(|blob| format!("{}\n", blob.blob)).collect::<String>())?
                }
                Format::Table | Format::Wide => out.text(&table(&view))?,
            }
        }
    }
    Ok(Exit::Ok.code())
}

fn table(view: &BlobsView) -> String {
    let mut text = String::new();
    for blob in &view.blobs {
        let tasks = blob.tasks.unwrap_or(0);
        text.push_str(&format!("{}  {:>9}  {tasks} tasks\n", blob.blob, show_size(blob.bytes)));
    }
    let (used, limit) = (show_size(view.used), show_size(view.max_bytes));
    text.push_str(&format!("{} blobs, {used} of {limit} used", view.blobs.len()));
    if view.missing > 0 {
        text.push_str(&format!(", {} named by tasks and not here yet", view.missing));
    }
    text.push('\n');
    text
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("{}: {error}", path.display()), "check the file's name")
}

pub(super) async fn put(place: &Place, path: &Path) -> Result<BlobView, CliError> {
    if path.as_os_str() == "-" {
        return Ok(put_blob(&place.socket, tokio::io::stdin(), None).await?);
    }
    let file = File::open(path).await.map_err(|error| unusable(path, &error))?;
    let meta = file.metadata().await.map_err(|error| unusable(path, &error))?;
    // What is no plain file has a length of its own making.
    Ok(put_blob(&place.socket, file, meta.is_file().then_some(meta.len())).await?)
}

async fn get(place: &Place, hash: &str, file: Option<PathBuf>) -> Result<(), CliError> {
    let Some(path) = file else {
        return Ok(get_blob(&place.socket, &path_part(hash), &mut tokio::io::stdout()).await?);
    };
    let mut name = path.clone().into_os_string();
    name.push(".part");
    let part = PathBuf::from(name);
    let written = async {
        let mut file = BufWriter::new(File::create(&part).await.map_err(|error| unusable(&part, &error))?);
        get_blob(&place.socket, &path_part(hash), &mut file).await?;
        file.shutdown().await.map_err(|error| unusable(&part, &error))?;
        fs::rename(&part, &path).await.map_err(|error| unusable(&path, &error))
    };
    let written: Result<(), CliError> = written.await;
    if written.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&part).await;
    }
    written
}
