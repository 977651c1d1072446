//! M1, counted: this file is a program of its own, for it counts every allocation of its process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::alloc::System;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cdse_auth::{Clock, FileTokenStore, MemoryTokenStore, TokenManagerBuilder, blocking};
use cdse_sandbox::Config;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{World, until, user};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn m1_a_fresh_header_costs_no_allocation_whatever_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(|config| config.clock = Config::default().clock);
    let logged_in = |builder: TokenManagerBuilder| -> blocking::TokenManager {
        let manager = blocking::TokenManager::from(builder.clock(Clock::default()).build().unwrap());
        manager.authorization_header().unwrap();
        until("the login is over", || !manager.status().renewing);
        manager
    };
    let in_memory = logged_in(world.builder(user()).store(MemoryTokenStore::new()));
    let in_file = logged_in(world.builder(user()).store(FileTokenStore::new(folder.path().join("session.json"))));
    // From here on nobody could be contacted, and no other thread is at work.
    drop(world);
    for manager in [in_memory, in_file] {
        let region = Region::new(ALLOCATOR);
        for _ in 0..1000 {
            let header = manager.authorization_header().unwrap();
            assert!(header.is_sensitive());
            let call = pin!(manager.as_async().authorization_header());
            let Poll::Ready(header) = call.poll(&mut Context::from_waker(Waker::noop())) else { panic!("it waits") };
            assert!(header.unwrap().is_sensitive());
        }
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0));
    }
}
