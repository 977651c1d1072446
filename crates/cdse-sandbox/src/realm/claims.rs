//! What tokens, and answers about them, say: JSON objects whose keys stand in Keycloak's order.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

pub(super) type Fields = Vec<(&'static str, Value)>;

/// A JSON object in this order; what is null is left out.
#[derive(Debug)]
pub(crate) struct Object(pub(super) Fields);

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, value)))
    }
}

/// What is said of a user.
pub(super) fn profile(username: &str) -> Fields {
    vec![
        ("email_verified", json!(true)),
        ("name", json!("Sandbox User")),
        ("preferred_username", json!(username)),
        ("given_name", json!("Sandbox")),
        ("family_name", json!("User")),
        ("email", json!(username)),
    ]
}

/// What is said of a client's own account.
pub(super) fn service_account(client_id: &str) -> Fields {
    vec![
        ("email_verified", json!(false)),
        ("clientHost", json!("127.0.0.1")),
        ("preferred_username", json!(format!("service-account-{client_id}"))),
        ("clientAddress", json!("127.0.0.1")),
        ("client_id", json!(client_id)),
    ]
}
