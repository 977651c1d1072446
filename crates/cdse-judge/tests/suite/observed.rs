//! What a judge answered, as far as it is compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use cdse_judge::Stage;

pub(crate) type Record = BTreeMap<String, Answer>;

/// One answer, without values, times and order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
    /// The keys of a JSON object, or of all objects in an array, and the types of their values; what is below them too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<String, String>,
    /// The type of each token that is a JWT, and the names of its claims.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tokens: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    /// How long the arrays of objects below are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lengths: BTreeMap<String, Vec<usize>>,
}

/// An answer with what the next step needs of it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    content_type: Option<String>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or_else(|| panic!("no {key} in {self:?}")).to_owned()
    }

    pub(crate) fn access(&self) -> String {
        self.text("access_token")
    }

    pub(crate) fn refresh(&self) -> String {
        self.text("refresh_token")
    }

    fn answer(&self, realm_url: &str) -> Answer {
        let text =
            |key: &str| self.body.get(key).and_then(Value::as_str).map(|text| text.replace(realm_url, "{realm}"));
        let (mut keys, mut lengths) = (BTreeMap::new(), BTreeMap::new());
        describe("", &self.body, &mut keys, &mut lengths);
        lengths.values_mut().for_each(|lengths: &mut Vec<usize>| lengths.sort_unstable());
        let tokens = ["access_token", "refresh_token", "id_token"];
        Answer {
            status: self.status,
            content_type: self.content_type.clone(),
            error: text("error"),
            error_description: text("error_description"),
            keys,
            tokens: tokens.iter().filter_map(|name| Some(((*name).to_owned(), claims(&text(name)?)?))).collect(),
            length: self.body.as_array().map(Vec::len),
            lengths,
        }
    }
}

/// The keys of all objects in a value, by their path, with the types of their values; and the lengths of arrays in them.
fn describe(
    path: &str,
    value: &Value,
    keys: &mut BTreeMap<String, String>,
    lengths: &mut BTreeMap<String, Vec<usize>>,
) {
    let objects = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for (key, value) in objects.iter().filter_map(Value::as_object).flatten() {
        let path = format!("{path}{key}");
        keys.insert(path.clone(), kind(value).to_owned());
        if let Some(members) = value.as_array().filter(|members| members.iter().all(Value::is_object)) {
            lengths.entry(path.clone()).or_default().push(members.len());
        }
        describe(&format!("{path}."), value, keys, lengths);
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `typ` of a JWT and the names of its claims.
fn claims(token: &str) -> Option<String> {
    let claims = data_encoding::BASE64URL_NOPAD.decode(token.split('.').nth(1)?.as_bytes()).ok()?;
    let claims: BTreeMap<String, Value> = serde_json::from_slice(&claims).ok()?;
    let names: Vec<&str> = claims.keys().map(String::as_str).collect();
    Some(format!("{}: {}", claims.get("typ")?.as_str()?, names.join(" ")))
}

/// A scenario under way: each request is a step with a name, and its answer is put on record.
pub(crate) struct Observed<'a> {
    name: &'a str,
    pub(crate) stage: &'a dyn Stage,
    pub(crate) record: Record,
    /// How many requests went to the token endpoint.
    token_requests: u64,
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub(crate) const JSON: (&str, &str) = ("accept", "application/json");
pub(crate) const TOKEN: &str = "protocol/openid-connect/token";

impl<'a> Observed<'a> {
    pub(crate) fn new(name: &'a str, stage: &'a dyn Stage) -> Self {
        Self { name, stage, record: Record::new(), token_requests: 0 }
    }

    /// One request below the realm.
    pub(crate) fn request(
        &mut self,
        step: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let url = format!("{}/{path}", self.stage.realm_url());
        let mut request = ureq::http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .proxy(None)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .build()
            .new_agent();
        let mut answer = agent.run(request.body(body.to_owned()).unwrap()).unwrap_or_else(|e| panic!("{step}: {e}"));
        let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        // The parameters (charset) are a matter of taste.
        let content_type =
            content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let text = answer.body_mut().read_to_vec().unwrap();
        let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
        let reply = Reply { status: answer.status().as_u16(), content_type, body };
        let before = self.record.insert(format!("{}/{step}", self.name), reply.answer(&self.stage.realm_url()));
        assert!(before.is_none(), "two steps are called {step}");
        self.token_requests += u64::from(path == TOKEN);
        assert_eq!(self.stage.token_requests(), self.token_requests, "requests until {step}");
        reply
    }

    pub(crate) fn post(&mut self, step: &str, endpoint: &str, fields: &[(&str, &str)]) -> Reply {
        let body = encode(fields);
        self.request(step, "POST", &format!("protocol/openid-connect/{endpoint}"), &[FORM, JSON], &body)
    }

    pub(crate) fn token(&mut self, step: &str, fields: &[(&str, &str)]) -> Reply {
        self.post(step, "token", fields)
    }

    pub(crate) fn login(&mut self, step: &str, username: &str, password: &str) -> Reply {
        self.token(step, &password_grant(username, password))
    }

    pub(crate) fn refresh(&mut self, step: &str, token: &str) -> Reply {
        self.token(step, &refresh_grant(token))
    }

    pub(crate) fn logout(&mut self, step: &str, token: &str) -> Reply {
        self.post(step, "logout", &[("client_id", "cdse-public"), ("refresh_token", token)])
    }

    pub(crate) fn bearer(&mut self, step: &str, method: &str, path: &str, token: &str) -> Reply {
        self.request(step, method, path, &[("authorization", &format!("Bearer {token}")), JSON], "")
    }

    pub(crate) fn sessions(&mut self, step: &str, token: &str) -> Reply {
        self.bearer(step, "GET", "account/sessions", token)
    }

    pub(crate) fn userinfo(&mut self, step: &str, token: &str) -> Reply {
        self.bearer(step, "GET", "protocol/openid-connect/userinfo", token)
    }
}

pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(crate) fn password_grant<'a>(username: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("client_id", "cdse-public"), ("grant_type", "password"), ("username", username), ("password", password)]
}

pub(crate) fn refresh_grant(token: &str) -> Vec<(&str, &str)> {
    vec![("client_id", "cdse-public"), ("grant_type", "refresh_token"), ("refresh_token", token)]
}
