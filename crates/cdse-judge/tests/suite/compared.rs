//! What a judge answers, compared with what is on record.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cdse_judge::real::{self, Part};
use cdse_judge::{Realm, SandboxStage, Stage, keycloak, named};
use cdse_sandbox::KeycloakVersion;

use crate::observed::{Observed, Record};
use crate::scenarios;

pub(crate) fn run() -> std::process::ExitCode {
    let ordinary = named![the_embedded_service_answers_as_keycloak_was_seen_to, what_is_excused_exists];
    real::run(ordinary, Part::Keycloak, named![keycloak_26_answers_as_on_record, keycloak_21_answers_as_on_record])
}

/// The versions, as they are called on record.
const VERSIONS: [(&str, KeycloakVersion); 2] = [("26.7.3", KeycloakVersion::V26), ("21.1.2", KeycloakVersion::V21)];

fn seen(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/suite/seen/{version}.json"))
}

fn on_record(version: &str) -> Record {
    serde_json::from_slice(&std::fs::read(seen(version)).expect("what was seen")).expect("a record")
}

/// Lines `version scenario/step: reason`; a version or a step may be `*`.
fn differences() -> Vec<(String, String)> {
    let lines = include_str!("differences.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (place, reason) = line.split_once(": ").expect("a reason");
            assert!(!reason.is_empty());
            let (version, step) = place.split_once(' ').expect("a version");
            (version.to_owned(), step.to_owned())
        })
        .collect()
}

fn is_known(version: &str, step: &str) -> bool {
    differences().iter().any(|(of, known)| {
        let here = known.strip_suffix('*').map_or(known == step, |start| step.starts_with(start));
        here && (of == "*" || of == version)
    })
}

/// Plays every scenario and gives what was observed, by `scenario/step`.
fn play<'a>(mut stage: impl FnMut(Realm) -> Box<dyn Stage + 'a>) -> Record {
    let mut record = BTreeMap::new();
    for (name, realm, scenario) in scenarios::ALL {
        let stage = stage(*realm);
        let mut observed = Observed::new(name, stage.as_ref());
        scenario(&mut observed);
        record.extend(observed.record);
    }
    record
}

fn compare(judge: &str, version: &str, expected: &Record, found: &Record, known: impl Fn(&str) -> bool) {
    let steps: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let wrong: Vec<String> = steps
        .into_iter()
        .filter(|step| expected.get(*step) != found.get(*step) && !known(step))
        .map(|step| format!("{step}\n  seen on {version}: {:?}\n  {judge}: {:?}", expected.get(step), found.get(step)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} steps differ:\n{}", wrong.len(), expected.len(), wrong.join("\n"));
    println!("{judge} as {version}: {} steps, all as seen", found.len());
}

fn the_embedded_service_answers_as_keycloak_was_seen_to() {
    assert!(differences().len() < 10, "the embedded service is to be mended, not excused");
    for (version, as_version) in VERSIONS {
        let found = play(|realm| Box::new(SandboxStage::new(realm, as_version)));
        compare("sandbox", version, &on_record(version), &found, |step| is_known(version, step));
    }
}

fn what_is_excused_exists() {
    for (version, step) in differences() {
        let versions = VERSIONS.iter().filter(|(name, _)| version == "*" || version == *name);
        let start = step.strip_suffix('*').unwrap_or(&step);
        for (name, _) in versions {
            assert!(on_record(name).keys().any(|known| known.starts_with(start)), "{name} has no step {step}");
        }
    }
}

fn judge(version: &str) {
    let server = keycloak::Server::start(version);
    let found = play(|realm| Box::new(server.stage(realm)));
    if std::env::var_os("CDSE_JUDGE_RECORD").is_some() {
        std::fs::write(seen(version), serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    compare("keycloak", version, &on_record(version), &found, |_| false);
}

fn keycloak_26_answers_as_on_record() {
    judge("26.7.3");
}

fn keycloak_21_answers_as_on_record() {
    judge("21.1.2");
}
