//! The paths of products, their parts and their contents, which the catalogue and the download host share.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands for itself in the name of a part.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProductPath {
    pub(super) id: String,
    /// The names that lead to a part of it; none for the whole.
    pub(super) nodes: Vec<String>,
    pub(super) asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Metadata,
    Value,
    Nodes,
}

impl ProductPath {
    /// `None` for a path of another form.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let (id, mut rest) = parentheses(path.strip_prefix("/odata/v1/Products")?)?;
        let mut nodes = Vec::new();
        while let Some(after) = rest.strip_prefix("/Nodes").filter(|after| !after.is_empty()) {
            let (name, after) = parentheses(after)?;
            nodes.push(name.to_owned());
            rest = after;
        }
        let asked = match rest {
            "" if nodes.is_empty() => Asked::Metadata,
            "/$value" => Asked::Value,
            "/Nodes" => Asked::Nodes,
            _ => return None,
        };
        Some(Self { id: id.to_owned(), nodes, asked })
    }

    pub(super) fn has_uuid(&self) -> bool {
        self.id.split('-').map(str::len).eq([8, 4, 4, 4, 12])
            && self.id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    }
}

/// The URL of such a path.
pub(super) fn url<'a>(origin: &str, id: &str, names: impl IntoIterator<Item = &'a str>, asked: Asked) -> String {
    let nodes = names.into_iter().map(|name| format!("/Nodes({})", utf8_percent_encode(name, NAME)));
    let end = match asked {
        Asked::Metadata => "",
        Asked::Value => "/$value",
        Asked::Nodes => "/Nodes",
    };
    format!("{origin}/odata/v1/Products({id}){}{end}", nodes.collect::<String>())
}

/// What is in the parentheses at the beginning, and what follows them. A name may have parentheses itself, but quotes around
/// it, as elsewhere in OData, are an error.
fn parentheses(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('(')?;
    let end = text.find(")/").or_else(|| text.ends_with(')').then(|| text.len() - 1))?;
    let (inner, after) = (&text[..end], &text[end + 1..]);
    (!inner.is_empty() && !inner.starts_with('\'')).then_some((inner, after))
}

#[cfg(test)]
mod tests {
    use super::{Asked, ProductPath};

    #[test]
    fn names_may_be_encoded_and_have_parentheses_but_no_quotes() {
        let path = ProductPath::parse("/odata/v1/Products(a%2db)/Nodes(x%20(1).tif)/Nodes%28y%29/%24value").unwrap();
        assert_eq!((path.id.as_str(), path.asked), ("a-b", Asked::Value));
        assert_eq!(path.nodes, ["x (1).tif", "y"]);
        assert_eq!(ProductPath::parse("/odata/v1/Products('a')/$value"), None);
        assert_eq!(ProductPath::parse("/odata/v1/Products(a)/Nodes('x')/$value"), None);
    }

    #[test]
    fn what_is_asked_stands_at_the_end() {
        let asked = |path| ProductPath::parse(path).map(|path| path.asked);
        assert_eq!(asked("/odata/v1/Products(a)"), Some(Asked::Metadata));
        assert_eq!(asked("/odata/v1/Products(a)/Nodes(b)/Nodes"), Some(Asked::Nodes));
        for path in ["/odata/v1/Products(a)/Nodes(b)", "/odata/v1/Products(a)/", "/odata/v1/Products", "/x(a)/$value"] {
            assert_eq!(asked(path), None, "{path}");
        }
    }
}
