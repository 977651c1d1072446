//! What a client gets for a product or a part of one: a file as itself, a folder as a ZIP archive whose entries are stored as
//! they are.

use std::io::{Cursor, Write};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::content::Content;
use super::node::Node;

#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Of the file that it is meant to become.
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) content: Content,
}

impl Package {
    pub(crate) fn new(node: &Node) -> Self {
        match node.content() {
            Some(content) => {
                Self { name: node.name().to_owned(), media_type: "application/octet-stream", content: content.clone() }
            }
            None => Self {
                name: format!("{}.zip", node.name()),
                media_type: "application/zip",
                // Nothing that is written into memory fails to be.
                content: pack(node).unwrap_or(Content::Zeros(0)),
            },
        }
    }
}

/// The archive of a folder, which is the one thing at its top. Every run makes the same bytes.
fn pack(folder: &Node) -> ZipResult<Content> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut writer, "", folder)?;
    Ok(writer.finish()?.into_inner().into())
}

fn add(writer: &mut ZipWriter<Cursor<Vec<u8>>>, above: &str, node: &Node) -> ZipResult<()> {
    let path = format!("{above}{}", node.name());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644);
    match node.content() {
        Some(content) => {
            writer.start_file(path, options)?;
            let mut rest = content.clone();
            while let Some(piece) = rest.next_piece() {
                writer.write_all(&piece)?;
            }
        }
        None => {
            let path = path + "/";
            writer.add_directory(path.as_str(), options.unix_permissions(0o755))?;
            node.children().iter().try_for_each(|child| add(writer, &path, child))?;
        }
    }
    Ok(())
}
