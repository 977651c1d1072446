//! `application/x-www-form-urlencoded`.

use percent_encoding::percent_decode;

/// Decoded fields, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(text: &[u8]) -> Self {
        let fields = text.split(|&byte| byte == b'&').filter(|field| !field.is_empty());
        Self(
            fields
                .map(|field| {
                    let mut parts = field.splitn(2, |&byte| byte == b'=');
                    (decode(parts.next().unwrap_or_default()), decode(parts.next().unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// The first field of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has_duplicate(&self) -> bool {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    pub(super) fn longest(&self) -> usize {
        self.0.iter().map(|(_, value)| value.len()).max().unwrap_or_default()
    }

    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.0
    }
}

/// `+` is a space and `%XX` a byte; a `%` that begins no such pair stands for itself.
pub(super) fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Form, decode};

    #[test]
    fn decoding_knows_both_spaces_and_forgives_a_lone_percent_sign() {
        assert_eq!(decode(b"a+b%20c%C3%A9%2B%zz%4"), "a b cé+%zz%4");
    }

    #[test]
    fn fields_keep_their_order_and_duplicates_are_noticed() {
        let form = Form::parse(b"b=1&a=x%3Dy=z&&c");
        assert_eq!(form.fields().len(), 3);
        assert_eq!(form.get("a"), Some("x=y=z"));
        assert_eq!(form.get("c"), Some(""));
        assert!(!form.has_duplicate());
        assert!(Form::parse(b"a=1&b=2&a=1").has_duplicate());
    }
}
