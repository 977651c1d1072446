//! The calls of the Secret Service API (freedesktop.org, draft 0.2) that a store needs.
//!
//! Secrets go over the session bus as they are (algorithm `plain`): only programs of this user can listen there, and these can
//! ask the keyring itself.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;

use zbus::export::futures_core::Stream as _;
use zbus::export::serde::Serialize;
use zbus::{Connection, DynamicType, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant, Variant};
use zeroize::Zeroizing;

use cdse_auth::text::printable;

use crate::trouble::{LONGEST, Trouble};

const NAME: &str = "org.freedesktop.secrets";
const PATH: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// What finds a secret again.
pub(crate) type Attributes = HashMap<&'static str, String>;

/// `(oayays)`: session, parameters, value, content type.
type Secret<'a> = (&'a OwnedObjectPath, &'a [u8], &'a [u8], &'a str);

/// A connection to the keyring, and a session for secrets on it.
pub(crate) struct Service {
    bus: Connection,
    session: OwnedObjectPath,
}

/// Where the one secret of these attributes is, or would be.
pub(crate) enum Place {
    Item(OwnedObjectPath),
    /// In this collection, once it is there.
    Collection(OwnedObjectPath),
}

impl Service {
    /// On the bus at `address`, or on the session's own.
    pub(crate) async fn open(address: Option<&str>) -> Result<Self, Trouble> {
        let builder = address.map_or_else(zbus::connection::Builder::session, zbus::connection::Builder::address);
        let bus = builder.build().await.map_err(|error| Trouble::NoBus(printable(&error.to_string(), LONGEST)))?;
        // GNOME Keyring (seen with 42.1) ends at a call that needs to know its caller where that call is the connection's
        // first and the keyring is busy: it takes note of new callers in a task that may run after the call. The answer to any
        // other call that its main loop makes comes after that task. What it answers does not matter: the next call says what
        // is wrong.
        let _ = call(&bus, PATH, PROPERTIES, "Get", &(SERVICE, "Collections")).await;
        let reply = call(&bus, PATH, SERVICE, "OpenSession", &("plain", Variant::from(""))).await?;
        let (_, session): (OwnedVariant, OwnedObjectPath) = reply.body().deserialize()?;
        Ok(Self { bus, session })
    }

    /// Finds the one secret of these attributes, unlocked.
    pub(crate) async fn find(&self, attributes: &Attributes) -> Result<Place, Trouble> {
        let (mut open, locked) = self.search(attributes).await?;
        match (open.len() + locked.len(), open.pop()) {
            (1, Some(item)) => Ok(Place::Item(item)),
            (0, _) => {
                // Some keyrings do not find what is locked.
                let collection = self.default_collection().await?;
                let reply = call(&self.bus, collection.as_str(), PROPERTIES, "Get", &(COLLECTION, "Locked")).await?;
                match reply.body().deserialize::<OwnedVariant>()?.try_into() {
                    Ok(false) => Ok(Place::Collection(collection)),
                    Ok(true) => Err(Trouble::Locked),
                    Err(_) => Err(Trouble::Failed("its property Locked has an unexpected type".to_owned())),
                }
            }
            (1, None) => Err(Trouble::Locked),
            (number, _) => Err(Trouble::Several(number)),
        }
    }

    pub(crate) async fn read(&self, item: &OwnedObjectPath) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let reply = call(&self.bus, item.as_str(), ITEM, "GetSecret", &(&self.session,)).await?;
        let (_, _, value, _): (OwnedObjectPath, Vec<u8>, Vec<u8>, String) = reply.body().deserialize()?;
        Ok(Zeroizing::new(value))
    }

    /// Puts another secret in the place of an item's.
    pub(crate) async fn replace(&self, item: &OwnedObjectPath, value: &[u8]) -> Result<(), Trouble> {
        call(&self.bus, item.as_str(), ITEM, "SetSecret", &(self.secret(value),)).await.map(drop)
    }

    pub(crate) async fn create(
        &self,
        collection: &OwnedObjectPath,
        label: &str,
        attributes: &Attributes,
        value: &[u8],
    ) -> Result<(), Trouble> {
        let properties: HashMap<String, Variant<'_>> = HashMap::from([
            (format!("{ITEM}.Label"), Variant::from(label)),
            (format!("{ITEM}.Attributes"), Variant::from(attributes.clone())),
        ]);
        let body = (properties, self.secret(value), true);
        let reply = call(&self.bus, collection.as_str(), COLLECTION, "CreateItem", &body).await?;
        let (_, prompt): (OwnedObjectPath, OwnedObjectPath) = reply.body().deserialize()?;
        if is_nothing(&prompt) { Ok(()) } else { Err(Trouble::Locked) }
    }

    /// Gives an item another name, under which it is not found.
    pub(crate) async fn rename(
        &self,
        item: &OwnedObjectPath,
        label: &str,
        attributes: &Attributes,
    ) -> Result<(), Trouble> {
        let attributes = (ITEM, "Attributes", Variant::from(attributes.clone()));
        call(&self.bus, item.as_str(), PROPERTIES, "Set", &attributes).await?;
        call(&self.bus, item.as_str(), PROPERTIES, "Set", &(ITEM, "Label", Variant::from(label))).await.map(drop)
    }

    /// Has the keyring ask its user to unlock what is locked, and waits for the answer.
    pub(crate) async fn unlock(&self, attributes: &Attributes) -> Result<(), Trouble> {
        let (open, mut locked) = self.search(attributes).await?;
        if open.is_empty() && locked.is_empty() {
            locked.push(self.default_collection().await?);
        }
        let reply = call(&self.bus, PATH, SERVICE, "Unlock", &(locked,)).await?;
        let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) = reply.body().deserialize()?;
        if is_nothing(&prompt) { Ok(()) } else { self.wait_for(&prompt).await }
    }

    async fn wait_for(&self, prompt: &OwnedObjectPath) -> Result<(), Trouble> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface(PROMPT)
            .member("Completed")
            .path(prompt.as_str())
            .build()?;
        let mut completed = pin!(MessageStream::for_match_rule(rule, &self.bus, None).await?);
        call(&self.bus, prompt.as_str(), PROMPT, "Prompt", &("",)).await?;
        let Some(signal) = poll_fn(|context| completed.as_mut().poll_next(context)).await else {
            return Err(Trouble::Failed("it disappeared while it asked to be unlocked".to_owned()));
        };
        let (dismissed, _): (bool, OwnedVariant) = signal?.body().deserialize()?;
        if dismissed { Err(Trouble::Declined) } else { Ok(()) }
    }

    async fn default_collection(&self) -> Result<OwnedObjectPath, Trouble> {
        let reply = call(&self.bus, PATH, SERVICE, "ReadAlias", &("default",)).await?;
        let collection: OwnedObjectPath = reply.body().deserialize()?;
        if is_nothing(&collection) { Err(Trouble::NoCollection) } else { Ok(collection) }
    }

    /// The secrets of these attributes: those that are unlocked, and those that are locked.
    async fn search(&self, attributes: &Attributes) -> Result<(Vec<OwnedObjectPath>, Vec<OwnedObjectPath>), Trouble> {
        Ok(call(&self.bus, PATH, SERVICE, "SearchItems", &(attributes,)).await?.body().deserialize()?)
    }

    fn secret<'a>(&'a self, value: &'a [u8]) -> Secret<'a> {
        (&self.session, &[], value, "text/plain; charset=utf8")
    }
}

async fn call<B>(bus: &Connection, path: &str, interface: &str, method: &str, body: &B) -> Result<Message, Trouble>
where
    B: Serialize + DynamicType + Sync,
{
    Ok(bus.call_method(Some(NAME), path, Some(interface), method, body).await?)
}

/// The path that stands for none.
fn is_nothing(path: &OwnedObjectPath) -> bool {
    path.as_str() == "/"
}
