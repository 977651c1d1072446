//! A Rust program that uses the credential chain, beside the command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{BINARY, World};

/// The example `join_login` of `cdse-credentials`, built as the tests are.
fn join_login() -> PathBuf {
    let build = ["build", "--quiet", "--offline", "--workspace", "--example", "join_login"];
    let built = Command::new(env!("CARGO")).args(build).status().unwrap();
    assert!(built.success());
    Path::new(BINARY).with_file_name("examples").join("join_login")
}

#[test]
fn cli4_a_rust_program_joins_the_login_of_the_command_line_in_one_call() {
    let world = World::new();
    let program = join_login();
    let joined = || world.program(&program).run();
    let refused = joined();
    assert!(
        refused.code == Some(1) && refused.stdout.is_empty() && refused.stderr.contains("NotLoggedIn"),
        "{refused:?}"
    );
    assert_eq!(world.sandbox.counters().connections, 0);
    world.log_in();
    let token = world.cdse(["auth", "token"]).run().token();
    assert_eq!(joined().ok().stdout, format!("Authorization: Bearer {token}\n"));
    assert_eq!(world.sandbox.counters().token_requests, 1, "the login alone");
}

#[test]
fn cli4_the_chain_names_the_variable_that_cannot_be_used() {
    let world = World::new();
    let program = join_login();
    let call = world.program(&program).env("CDSE_CLIENT_SECRET", "CANARY");
    let done = call.run();
    assert!(done.code == Some(1) && done.stdout.is_empty(), "{done:?}");
    assert!(done.stderr.contains("InvalidConfig") && done.stderr.contains("CDSE_CLIENT_ID"), "{done:?}");
    assert!(!done.stderr.contains("CANARY"));
}
