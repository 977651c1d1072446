//! A product, and what the catalogues say of it.

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::node::Node;
use super::package::Package;

#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) about: About,
    pub(crate) root: Node,
    /// The whole of it.
    pub(crate) package: Package,
    /// Of the whole, in lower-case hexadecimal.
    pub(crate) md5: String,
}

/// What is not in its files.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// As OData calls it.
    pub(crate) collection: &'static str,
    /// As STAC calls it, which does not have everything.
    pub(crate) stac_collection: Option<&'static str>,
    /// Of the sensing, as all times: with six digits after the point.
    pub(crate) start: &'static str,
    pub(crate) end: &'static str,
    pub(crate) published: &'static str,
    /// The folder that it is in.
    pub(crate) s3_folder: &'static str,
    pub(crate) bounds: Option<Bounds>,
    pub(crate) attributes: Vec<Attribute>,
    /// The STAC properties that are its own.
    pub(crate) properties: Value,
    /// The keys under which STAC has its files, and their paths.
    pub(crate) assets: Vec<(&'static str, String)>,
}

/// An attribute: its type as OData calls it, its name and its value.
pub(crate) type Attribute = (&'static str, &'static str, Value);

/// What a product covers, in degrees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) west: f64,
    pub(crate) south: f64,
    pub(crate) east: f64,
    pub(crate) north: f64,
}

impl Bounds {
    /// The corners, the first one again at the end.
    pub(crate) fn ring(self) -> [[f64; 2]; 5] {
        let Self { west, south, east, north } = self;
        [[west, south], [east, south], [east, north], [west, north], [west, south]]
    }
}

impl Product {
    pub(super) fn new(about: About, root: Node) -> Self {
        let package = Package::new(&root);
        // That of a single file is known already, and a large one takes its time.
        let md5 = root.md5().unwrap_or_else(|| HEXLOWER.encode(&package.content.md5()));
        Self { about, root, package, md5 }
    }

    /// The node that these names lead to; the first is the product itself.
    pub(crate) fn node(&self, names: &[String]) -> Option<&Node> {
        let (first, below) = names.split_first()?;
        if first != self.root.name() {
            return None;
        }
        self.root.find(below.iter().map(String::as_str))
    }

    /// Its name in STAC.
    pub(crate) fn item_id(&self) -> &str {
        self.about.name.strip_suffix(".SAFE").unwrap_or(self.about.name)
    }
}
