//! What is left of a secret in the memory of this process (P5), found by looking through all of it.
//!
//! The service runs in a process of its own, for it has the same secrets; and what is looked for is kept masked, or the
//! search would find its own list.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod canary;
mod service;

use std::time::Duration;

use canary::{Canary, found, left};
use cdse_auth::{FileTokenStore, PasswordAuth, Proxy, Secret, TokenManager, TransportConfig, blocking};
use service::Service;

struct World {
    service: Service,
    password: Canary,
}

/// What a session holds that must not stay.
struct Tokens {
    access: Canary,
    refresh: Canary,
}

impl World {
    fn new() -> Self {
        let password = Canary::random();
        let service = Service::start(&password.plain());
        Self { service, password }
    }

    fn builder(&self) -> cdse_auth::TokenManagerBuilder {
        TokenManager::builder(PasswordAuth::new(service::USER, Secret::from(self.password.plain())))
            .realm_url(self.service.realm_url())
            .transport(TransportConfig::new().with_proxy(Proxy::None))
    }
}

impl Tokens {
    fn of(manager: &blocking::TokenManager) -> Self {
        let tokens = manager.tokens(Duration::ZERO).unwrap();
        Self { access: Canary::of(tokens.access_token()), refresh: Canary::of(tokens.refresh_token().unwrap()) }
    }
}

/// Logs in, renews, and uses headers as a program does. The tokens of the first and of the last exchange.
fn use_a_session(manager: &blocking::TokenManager) -> (Tokens, Tokens) {
    let header = manager.authorization_header().unwrap();
    let first = Tokens::of(manager);
    let renewed = manager.force_refresh().unwrap();
    assert_ne!(header, renewed);
    drop((header, renewed));
    canary::until_alone();
    (first, Tokens::of(manager))
}

#[test]
fn p5_nothing_is_left_in_memory() {
    if service::serves() || !is_bound() {
        return;
    }
    play(End::Logout, true);
    play(End::Clear, false);
}

/// Whether the dynamic linker has found all functions of this process. If not, one where it has does the test: to find one
/// later it puts the vector registers on the stack, with what was copied last in them, and leaves them there.
fn is_bound() -> bool {
    const BOUND: &str = "LD_BIND_NOW";
    if std::env::var_os(BOUND).is_some_and(|value| !value.is_empty()) {
        return true;
    }
    let test = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "p5_nothing_is_left_in_memory", "--nocapture"])
        .env(BOUND, "1")
        .output()
        .unwrap();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
    false
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Logout,
    Clear,
}

fn play(end: End, stored: bool) {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let builder = world.builder();
    let builder = if stored { builder.store(FileTokenStore::new(folder.path().join("session.json"))) } else { builder };
    let manager: blocking::TokenManager = builder.build().unwrap().into();
    let (old, new) = use_a_session(&manager);
    let what = format!("{end:?}, {}", if stored { "in a file" } else { "in memory" });

    // What is there is found, or the search proves nothing.
    let [access, refresh, password] = found([&new.access, &new.refresh, &world.password]);
    assert!(access > 0 && refresh > 0 && password > 0, "{what}: {access} {refresh} {password}");
    assert_eq!(left([&old.access, &old.refresh]), [0, 0], "{what}: what was replaced");

    let header = manager.authorization_header().unwrap();
    match end {
        End::Logout => manager.logout().unwrap(),
        End::Clear => manager.clear().unwrap(),
    }
    canary::until_alone();
    // A header that was handed out is its holder's, and wiped when the last of its clones goes.
    let last = header.clone();
    drop(header);
    assert!(found([&new.access]) > [0], "{what}: what was handed out is there");
    drop(last);
    assert_eq!(left([&new.access]), [0], "{what}: what was given back");
    match end {
        End::Logout => assert_eq!(left([&new.refresh]), [0], "{what}: the session is over"),
        End::Clear => assert!(found([&new.refresh]) > [0], "{what}: the next login ends its session"),
    }

    drop(manager);
    assert_eq!(left([&new.access, &new.refresh, &world.password]), [0, 0, 0], "{what}: after the last handle");
}
