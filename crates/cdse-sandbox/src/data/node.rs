//! The files and folders of a product.

use data_encoding::HEXLOWER;

use super::content::Content;

#[derive(Debug)]
pub(crate) struct Node {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File { content: Content, md5: [u8; 16] },
    Folder(Vec<Node>),
}

impl Node {
    pub(super) fn file(name: &str, content: Content) -> Self {
        let md5 = content.md5();
        Self { name: name.to_owned(), kind: Kind::File { content, md5 } }
    }

    pub(super) fn folder(name: &str) -> Self {
        Self { name: name.to_owned(), kind: Kind::Folder(Vec::new()) }
    }

    /// Puts a file into a folder, with the folders on the path to it.
    pub(super) fn put(&mut self, path: &str, content: Content) {
        let Kind::Folder(children) = &mut self.kind else { return };
        let Some((folder, rest)) = path.split_once('/') else { return children.push(Self::file(path, content)) };
        let place = children.iter().position(|child| child.name == folder).unwrap_or_else(|| {
            children.push(Self::folder(folder));
            children.len() - 1
        });
        children[place].put(rest, content);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a file holds; `None` for a folder.
    pub(crate) fn content(&self) -> Option<&Content> {
        match &self.kind {
            Kind::File { content, .. } => Some(content),
            Kind::Folder(_) => None,
        }
    }

    /// Of a file, in lower-case hexadecimal.
    pub(crate) fn md5(&self) -> Option<String> {
        match &self.kind {
            Kind::File { md5, .. } => Some(HEXLOWER.encode(md5)),
            Kind::Folder(_) => None,
        }
    }

    /// What is in a folder; a file has nothing in it.
    pub(crate) fn children(&self) -> &[Self] {
        match &self.kind {
            Kind::File { .. } => &[],
            Kind::Folder(children) => children,
        }
    }

    /// The node at this path below this one.
    pub(crate) fn find<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, name| node.children().iter().find(|child| child.name == name))
    }
}
