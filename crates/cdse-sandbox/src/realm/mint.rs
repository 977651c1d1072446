//! Issuing tokens.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::claims::{self, Fields, Object};
use super::contents::{AccessToken, ClientIndex, Kind, Realm, RefreshToken, Session};
use super::jwt;
use super::refusal::Refusal;
use super::scope::Scope;
use super::time::Seconds;
use super::user::UserIndex;
use crate::config::{KeycloakVersion, Rotation};
use crate::random;

/// The realm roles of those who may have offline tokens; everyone has those behind the first.
const ROLES: [&str; 3] = ["offline_access", "uma_authorization", "default-roles-cdse"];

impl Realm {
    /// New tokens for an open session, whose idle time begins anew. `grant` is what 26.7.3 calls it in the prefix of `jti`.
    pub(super) fn mint_for_session(
        &mut self,
        now: Seconds,
        kind: Kind,
        id: &str,
        grant: &str,
    ) -> Result<Object, Refusal> {
        let session = self.sessions_of(kind).get_mut(id).ok_or(Refusal::SessionNotActive)?;
        let client = session.client.ok_or(Refusal::ClientNotInSession)?;
        session.last_access = now;
        session.generation += 1;
        let session = session.clone();
        let (prefix, rest) = match kind {
            Kind::Online => ("onrt", Some(session.maximum(&self.lifetimes).saturating_sub(now))),
            Kind::Offline => ("ofrt", None),
        };
        let life = self.access_lifespan(client).min(rest.unwrap_or(Seconds::MAX));
        let refresh_life = rest.map(|rest| rest.min(self.lifetimes.idle.as_secs()));
        let context = format!("{prefix}{grant}");
        Ok(self.mint(now, client, &session.scope, life, &context, Some((&session, refresh_life))))
    }

    /// The token endpoint's answer of success. A session comes with the life of its refresh token, which may have no end.
    pub(super) fn mint(
        &mut self,
        now: Seconds,
        client: ClientIndex,
        scope: &Scope,
        life: Seconds,
        context: &str,
        session: Option<(&Session, Option<Seconds>)>,
    ) -> Object {
        let id = session.map(|(session, _)| &session.id);
        let user = session.map(|(session, _)| session.user);
        let (sub, profile) = self.owner(client, user);
        let holder = Holder { realm: self, now, client_id: &self.client(client).id, sub, session: id.map(|id| &**id) };
        let is_ordinary = user.is_some_and(|user| !self.user(user).user.offline_access);
        let roles = &ROLES[usize::from(is_ordinary)..];
        let access_token = holder.access_token(life, context, roles, &scope.granted, profile.clone());
        let id_token = scope.openid.then(|| holder.id_token(life, &access_token, profile));
        let refresh_token = session.map(|(_, life)| holder.refresh_token(life, &scope.granted));

        let issue = self.issued;
        self.issued += 1;
        self.access_tokens.enter(
            &access_token,
            AccessToken {
                session: id.map(Arc::clone),
                user,
                client,
                expires: now + life,
                issue,
                openid: scope.openid,
                revoked: false,
            },
        );
        if let (Some((session, life)), Some(refresh_token)) = (session, &refresh_token) {
            self.refresh_tokens.enter(
                refresh_token,
                RefreshToken {
                    session: Arc::clone(&session.id),
                    user: session.user,
                    client,
                    kind: session.kind,
                    expires: life.map(|life| now + life),
                    issue,
                    generation: session.generation,
                },
            );
        }
        Object(vec![
            ("access_token", json!(access_token)),
            ("expires_in", json!(life)),
            ("refresh_expires_in", json!(session.and_then(|(_, life)| life).unwrap_or(0))),
            ("refresh_token", json!(refresh_token)),
            ("token_type", json!("Bearer")),
            ("id_token", json!(id_token)),
            ("not-before-policy", json!(self.not_before)),
            ("session_state", json!(id.map(|id| &**id))),
            ("scope", json!(scope.granted)),
        ])
    }

    /// `sub` and the profile of a user, or of the client's own account.
    pub(super) fn owner(&self, client: ClientIndex, user: Option<UserIndex>) -> (&str, Fields) {
        if let Some(user) = user {
            let record = self.user(user);
            (&record.id, claims::profile(&record.user.username))
        } else {
            (self.service_account_id(client), claims::service_account(&self.client(client).id))
        }
    }

    pub(super) fn access_lifespan(&self, client: ClientIndex) -> Seconds {
        self.client(client).access_lifespan.unwrap_or(self.lifetimes.access).as_secs()
    }
}

/// Whom tokens are for.
struct Holder<'a> {
    realm: &'a Realm,
    now: Seconds,
    client_id: &'a str,
    sub: &'a str,
    session: Option<&'a str>,
}

impl Holder<'_> {
    fn is_26(&self) -> bool {
        self.realm.version == KeycloakVersion::V26
    }

    fn access_token(&self, life: Seconds, context: &str, roles: &[&str], scope: &str, profile: Fields) -> String {
        let jti = if self.is_26() { format!("{context}:{}", random::uuid()) } else { random::uuid() };
        let account_roles = ["manage-account", "manage-account-links", "view-profile"];
        let own = vec![
            ("acr", json!("1")),
            ("allowed-origins", json!(self.session.map(|_| ["http://127.0.0.1"]))),
            ("realm_access", json!({ "roles": roles })),
            ("resource_access", json!({ "account": { "roles": account_roles } })),
            ("scope", json!(scope)),
        ];
        let claims = self.claims("Bearer", "account", &jti, Some(life), own, profile);
        jwt::encode::<256>("RS256", &self.realm.access_kid, &claims)
    }

    fn id_token(&self, life: Seconds, access_token: &str, profile: Fields) -> String {
        let digest = Sha256::digest(access_token.as_bytes());
        let own = vec![("at_hash", json!(BASE64URL_NOPAD.encode(&digest[..16]))), ("acr", json!("1"))];
        let claims = self.claims("ID", self.client_id, &random::uuid(), Some(life), own, profile);
        jwt::encode::<256>("RS256", &self.realm.access_kid, &claims)
    }

    fn refresh_token(&self, life: Option<Seconds>, scope: &str) -> String {
        let typ = if life.is_some() { "Refresh" } else { "Offline" };
        let claims = |scope: &str, rest| {
            self.claims(typ, &self.realm.issuer, &random::uuid(), life, vec![("scope", json!(scope))], rest)
        };
        if !self.is_26() {
            return jwt::encode::<32>("HS256", &self.realm.refresh_kid, &claims(scope, Vec::new()));
        }
        let reuse_id = (self.realm.rotation == Rotation::OneTime).then(random::uuid);
        let rest = vec![("aud_x", json!("account")), ("prov", json!("default")), ("reuse_id", json!(reuse_id))];
        jwt::encode::<64>(
            "HS512",
            &self.realm.refresh_kid,
            &claims(&format!("{scope} basic acr roles web-origins"), rest),
        )
    }

    /// What every token says, with `own` in the middle and `rest` at the end.
    fn claims(&self, typ: &str, aud: &str, jti: &str, life: Option<Seconds>, own: Fields, rest: Fields) -> Object {
        let name = |is_here: bool| json!(self.session.filter(|_| is_here));
        let common = vec![
            ("exp", json!(life.map(|life| self.now + life))),
            ("iat", json!(self.now)),
            ("auth_time", json!((typ == "ID" && !self.is_26()).then_some(0))),
            ("jti", json!(jti)),
            ("iss", json!(self.realm.issuer)),
            ("aud", json!(aud)),
            ("sub", json!(self.sub)),
            ("typ", json!(typ)),
            ("azp", json!(self.client_id)),
            // 21.1.2 names the session twice, and 26.7.3 in another place.
            ("session_state", name(!self.is_26())),
            ("sid", name(self.is_26())),
        ];
        Object([common, own, vec![("sid", name(!self.is_26()))], rest].concat())
    }
}
