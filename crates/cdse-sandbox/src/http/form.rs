//! `application/x-www-form-urlencoded`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// What stands for itself; a space becomes a `+` afterwards.
const LITERAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b' ');

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

    /// The same form with this value in the first field of that name, which is put last if there is none.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        self
    }

    pub(super) fn encode(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, LITERAL).to_string().replace(' ', "+");
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        pairs.join("&")
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
    fn a_changed_form_keeps_its_order_and_what_is_encoded_decodes_to_itself() {
        let form = Form::parse(b"%24a=x+y&b=1").with("b", "2&3".to_owned()).with("c", "+".to_owned());
        assert_eq!(form.encode(), "%24a=x+y&b=2%263&c=%2B");
        assert_eq!(Form::parse(form.encode().as_bytes()).fields(), form.fields());
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
