//! A person who is asked to unlock the keyring. A real one asks in a window, and there is none here: a keyring that plays
//! its part of the protocol stands in for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc;
use std::time::Duration;

use cdse_auth::TokenStore as _;
use cdse_auth::store::contract;
use cdse_judge::desktop::Desktop;
use cdse_judge::named;
use cdse_judge::real::Named;
use cdse_keyring::KeyringTokenStore;
use zbus::export::futures_core::Stream as _;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, ObjectPath, Variant};

pub(crate) const ALL: &[Named] = named![
    s5_a_keyring_that_is_unlocked_when_asked_for_gives_the_session,
    s5_a_person_who_declines_is_not_asked_again,
    s5_nobody_is_waited_for_longer_than_was_said,
];

/// What the person does.
#[derive(Clone, Copy, PartialEq)]
enum Person {
    Unlocks,
    Declines,
    IsNotThere,
}

struct Keyring {
    bus: Connection,
    person: Person,
    locked: bool,
    prompts: u32,
}

fn path(text: &'static str) -> ObjectPath<'static> {
    ObjectPath::try_from(text).unwrap()
}

impl Keyring {
    async fn answer(&mut self, call: &Message) {
        let header = call.header();
        let item = || vec![path("/item")];
        let replied = match header.member().unwrap().as_str() {
            "Get" => self.bus.reply(&header, &(Variant::from(Vec::<ObjectPath<'_>>::new()),)).await,
            "OpenSession" => self.bus.reply(&header, &(Variant::from(""), path("/session"))).await,
            "SearchItems" if self.locked => self.bus.reply(&header, &(Vec::<ObjectPath<'_>>::new(), item())).await,
            "SearchItems" => self.bus.reply(&header, &(item(), Vec::<ObjectPath<'_>>::new())).await,
            "Unlock" => self.bus.reply(&header, &(Vec::<ObjectPath<'_>>::new(), path("/prompt"))).await,
            "Prompt" => {
                self.prompts += 1;
                self.bus.reply(&header, &()).await.unwrap();
                self.prompt().await;
                Ok(())
            }
            "GetSecret" => {
                let text = contract::record(None, "kept").to_json().to_vec();
                self.bus.reply(&header, &((path("/session"), Vec::<u8>::new(), text, "text/plain"),)).await
            }
            other => panic!("nobody calls {other}"),
        };
        replied.unwrap();
    }

    async fn prompt(&mut self) {
        if self.person == Person::IsNotThere {
            return;
        }
        let declined = self.person == Person::Declines;
        self.locked = declined;
        let signal = (declined, Variant::from(""));
        let nobody: Option<&str> = None;
        let interface = "org.freedesktop.Secret.Prompt";
        self.bus.emit_signal(nobody, "/prompt", interface, "Completed", &signal).await.unwrap();
    }
}

/// Plays the keyring until its bus ends; says when it is there.
fn play(address: String, person: Person) {
    let (there, waits) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bus = zbus::connection::Builder::address(address.as_str()).build().await.unwrap();
            let mut calls = MessageStream::from(&bus);
            bus.request_name("org.freedesktop.secrets").await.unwrap();
            there.send(()).unwrap();
            let mut keyring = Keyring { bus, person, locked: true, prompts: 0 };
            while let Some(Ok(message)) = poll_fn(|context| Pin::new(&mut calls).poll_next(context)).await {
                if message.message_type() == Type::MethodCall {
                    keyring.answer(&message).await;
                    assert!(keyring.prompts <= 1, "it asks once");
                }
            }
        });
    });
    waits.recv().unwrap();
}

fn store(desktop: &Desktop) -> KeyringTokenStore {
    KeyringTokenStore::new(desktop.folder().join("sessions"), "session").with_bus(desktop.address())
}

fn s5_a_keyring_that_is_unlocked_when_asked_for_gives_the_session() {
    let desktop = Desktop::without_keyring();
    play(desktop.address(), Person::Unlocks);
    let error = store(&desktop).load().unwrap_err();
    assert!(error.message().contains("the keyring is locked"), "nobody is asked unless that was said: {error}");
    let tokens = store(&desktop).with_unlock_prompt(Duration::from_secs(60)).load().unwrap().unwrap();
    assert!(tokens.access_token().starts_with("kept-"));
    // From now on it is open for all.
    store(&desktop).load().unwrap().unwrap();
}

fn s5_a_person_who_declines_is_not_asked_again() {
    let desktop = Desktop::without_keyring();
    play(desktop.address(), Person::Declines);
    let error = store(&desktop).with_unlock_prompt(Duration::from_secs(60)).load().unwrap_err();
    assert!(error.message().contains("asked to be unlocked, and was not"), "{error}");
}

fn s5_nobody_is_waited_for_longer_than_was_said() {
    let desktop = Desktop::without_keyring();
    play(desktop.address(), Person::IsNotThere);
    let error = store(&desktop).with_unlock_prompt(Duration::from_millis(200)).load().unwrap_err();
    assert!(error.message().contains("asked to be unlocked, and was not"), "{error}");
}
