//! Each JSON shape is held against its schema, wherever a test meets one.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

macro_rules! schemas {
    ($($name:literal),*) => {
        LazyLock::new(|| HashMap::from([
            $(($name, validator(include_str!(concat!("../../schemas/", $name, ".json"))))),*
        ]))
    };
}

static SCHEMAS: LazyLock<HashMap<&str, Validator>> = schemas![
    "status",
    "status-all",
    "token",
    "sessions",
    "list",
    "dir",
    "doctor",
    "error",
    "login",
    "logout",
    "refresh",
    "switch"
];

fn validator(schema: &str) -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Says what does not fit.
#[track_caller]
pub(crate) fn check(name: &str, value: &Value) {
    let errors: Vec<String> = SCHEMAS[name].iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {value:#}");
}

/// Whatever command prints JSON, its shape is known.
#[track_caller]
pub(crate) fn check_call(arguments: &[String], value: &Value) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let name = match words.as_slice() {
        ["auth", "status", ..] if value.is_array() => "status-all",
        [
            "auth",
            name @ ("status" | "token" | "sessions" | "list" | "dir" | "doctor" | "login" | "logout" | "refresh"
            | "switch"),
            ..,
        ] => name,
        _ => return,
    };
    check(name, value);
}

#[test]
fn cli12_a_schema_refuses_what_is_missing_or_too_much() {
    let error =
        serde_json::json!({"error": {"code": "usage", "exit": 2, "message": "x", "hint": null}, "warnings": []});
    check("error", &error);
    for broken in [
        serde_json::json!({"error": {"code": "usage", "exit": 2, "message": "x"}}),
        serde_json::json!({"error": {"code": "usage", "exit": 3, "message": "x", "hint": null}}),
        serde_json::json!({"error": {"code": "usage", "exit": 2, "message": "x", "hint": null}, "more": 1}),
    ] {
        assert!(!SCHEMAS["error"].is_valid(&broken), "{broken}");
    }
}
