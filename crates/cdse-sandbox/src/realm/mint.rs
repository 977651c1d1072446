//! Issuing tokens.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::claims::{
    AccessClaims, Common, IdClaims, OFFLINE_REALM_ACCESS, Owner, Profile, REALM_ACCESS, RESOURCE_ACCESS, RefreshClaims,
    ServiceAccount, SessionNames,
};
use super::client::ClientIndex;
use super::contents::Realm;
use super::jwt::{self, Algorithm};
use super::refusal::Refusal;
use super::scope::Scope;
use super::session::{Kind, Session};
use super::tables::{AccessToken, RefreshToken};
use super::time::{Issue, Seconds};
use crate::config::{KeycloakVersion, Rotation};
use crate::random;

/// The token endpoint's answer of success, in Keycloak's order.
#[derive(Debug, Serialize)]
pub(crate) struct TokenAnswer {
    access_token: String,
    expires_in: Seconds,
    refresh_expires_in: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(rename = "not-before-policy")]
    not_before_policy: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_state: Option<String>,
    scope: String,
}

impl Realm {
    /// New tokens for an open session, whose idle time begins anew. `grant` is what 26.7.3 calls it in the prefix of `jti`.
    pub(super) fn mint_for_session(
        &mut self,
        now: Seconds,
        kind: Kind,
        id: &str,
        grant: &str,
    ) -> Result<TokenAnswer, Refusal> {
        let issue = self.next_issue();
        let session = self.sessions_of(kind).get_mut(id).ok_or(Refusal::SessionNotActive)?;
        let client = session.client.ok_or(Refusal::ClientNotInSession)?;
        session.last_access = now;
        session.generation += 1;
        let session = session.clone();
        let (generation, user) = (session.generation, session.user);

        let rest = match kind {
            Kind::Online => Some(session.maximum(&self.lifetimes).saturating_sub(now)),
            Kind::Offline => None,
        };
        let expires_in = self.access_lifespan(client).min(rest.unwrap_or(Seconds::MAX));
        let refresh_expires_in = rest.map(|rest| rest.min(self.lifetimes.idle.as_secs()));
        let context = match kind {
            Kind::Online => format!("onrt{grant}"),
            Kind::Offline => format!("ofrt{grant}"),
        };
        let client_id = self.client(client).id.as_str();
        let record = self.user(user);
        let names = self.session_names(id);

        let access_token = jwt::encode(
            Algorithm::Rs256,
            &self.access_kid,
            &AccessClaims {
                common: self.common(
                    now,
                    Some(expires_in),
                    self.jti(&context),
                    "account",
                    &record.id,
                    "Bearer",
                    client_id,
                ),
                session_state: names.session_state,
                sid_first: names.sid_first,
                acr: "1",
                allowed_origins: Some(["http://127.0.0.1"]),
                realm_access: if record.user.offline_access { OFFLINE_REALM_ACCESS } else { REALM_ACCESS },
                resource_access: RESOURCE_ACCESS,
                scope: &session.scope,
                sid_last: names.sid_last,
                owner: Owner::User(Profile::of(&record.user.username)),
            },
        );
        let refresh_token = self.encode_refresh(now, refresh_expires_in, &session.scope, names, &record.id, client_id);
        let id_token = session.openid.then(|| {
            let owner = Owner::User(Profile::of(&record.user.username));
            self.encode_id(now, expires_in, &access_token, names, &record.id, client_id, owner)
        });
        let Session { openid, scope, id, .. } = session;

        self.tokens.enter_access(
            &access_token,
            AccessToken {
                session: Some(id.clone()),
                user: Some(user),
                client,
                expires: now + expires_in,
                issue,
                openid,
                revoked: false,
            },
        );
        self.tokens.enter_refresh(
            &refresh_token,
            RefreshToken {
                session: id.clone(),
                user,
                client,
                kind,
                expires: refresh_expires_in.map(|life| now + life),
                issue,
                generation,
            },
        );
        Ok(TokenAnswer {
            access_token,
            expires_in,
            refresh_expires_in: refresh_expires_in.unwrap_or(0),
            refresh_token: Some(refresh_token),
            token_type: "Bearer",
            id_token,
            not_before_policy: self.not_before,
            session_state: Some(id.to_string()),
            scope,
        })
    }

    pub(super) fn mint_for_service_account(&mut self, now: Seconds, client: ClientIndex, scope: Scope) -> TokenAnswer {
        let issue = self.next_issue();
        let expires_in = self.access_lifespan(client);
        let client_id = self.client(client).id.as_str();
        let sub = self.service_account_id(client);
        let names = SessionNames { session_state: None, sid_first: None, sid_last: None };
        let access_token = jwt::encode(
            Algorithm::Rs256,
            &self.access_kid,
            &AccessClaims {
                common: self.common(now, Some(expires_in), self.jti("trrtcc"), "account", sub, "Bearer", client_id),
                session_state: None,
                sid_first: None,
                acr: "1",
                allowed_origins: None,
                realm_access: OFFLINE_REALM_ACCESS,
                resource_access: RESOURCE_ACCESS,
                scope: &scope.granted,
                sid_last: None,
                owner: Owner::ServiceAccount(ServiceAccount::of(client_id)),
            },
        );
        let id_token = scope.openid.then(|| {
            let owner = Owner::ServiceAccount(ServiceAccount::of(client_id));
            self.encode_id(now, expires_in, &access_token, names, sub, client_id, owner)
        });
        self.tokens.enter_access(
            &access_token,
            AccessToken {
                session: None,
                user: None,
                client,
                expires: now + expires_in,
                issue,
                openid: scope.openid,
                revoked: false,
            },
        );
        TokenAnswer {
            access_token,
            expires_in,
            refresh_expires_in: 0,
            refresh_token: None,
            token_type: "Bearer",
            id_token,
            not_before_policy: self.not_before,
            session_state: None,
            scope: scope.granted,
        }
    }

    fn next_issue(&mut self) -> Issue {
        self.issued += 1;
        self.issued - 1
    }

    fn access_lifespan(&self, client: ClientIndex) -> Seconds {
        self.client(client).access_lifespan.unwrap_or(self.lifetimes.access).as_secs()
    }

    fn jti(&self, context: &str) -> String {
        match self.version {
            KeycloakVersion::V26 => format!("{context}:{}", random::uuid()),
            KeycloakVersion::V21 => random::uuid(),
        }
    }

    fn session_names<'a>(&self, id: &'a str) -> SessionNames<'a> {
        match self.version {
            KeycloakVersion::V26 => SessionNames { session_state: None, sid_first: Some(id), sid_last: None },
            KeycloakVersion::V21 => SessionNames { session_state: Some(id), sid_first: None, sid_last: Some(id) },
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the claims")]
    fn common<'a>(
        &'a self,
        now: Seconds,
        life: Option<Seconds>,
        jti: String,
        aud: &'a str,
        sub: &'a str,
        typ: &'static str,
        azp: &'a str,
    ) -> Common<'a> {
        Common {
            exp: life.map(|life| now + life),
            iat: now,
            auth_time: None,
            jti,
            iss: &self.issuer,
            aud,
            sub,
            typ,
            azp,
        }
    }

    fn encode_refresh(
        &self,
        now: Seconds,
        life: Option<Seconds>,
        scope: &str,
        names: SessionNames<'_>,
        sub: &str,
        client_id: &str,
    ) -> String {
        let v26 = self.version == KeycloakVersion::V26;
        let typ = if life.is_some() { "Refresh" } else { "Offline" };
        let claims = RefreshClaims {
            common: self.common(now, life, random::uuid(), &self.issuer, sub, typ, client_id),
            session_state: names.session_state,
            sid_first: names.sid_first,
            scope: if v26 { format!("{scope} basic acr roles web-origins") } else { scope.to_owned() },
            sid_last: names.sid_last,
            aud_x: v26.then_some("account"),
            prov: v26.then_some("default"),
            reuse_id: (v26 && self.rotation == Rotation::OneTime).then(random::uuid),
        };
        let algorithm = if v26 { Algorithm::Hs512 } else { Algorithm::Hs256 };
        jwt::encode(algorithm, &self.refresh_kid, &claims)
    }

    #[expect(clippy::too_many_arguments, reason = "they are the claims")]
    fn encode_id(
        &self,
        now: Seconds,
        life: Seconds,
        access_token: &str,
        names: SessionNames<'_>,
        sub: &str,
        client_id: &str,
        owner: Owner<'_>,
    ) -> String {
        let digest = Sha256::digest(access_token.as_bytes());
        let mut common = self.common(now, Some(life), random::uuid(), client_id, sub, "ID", client_id);
        common.auth_time = (self.version == KeycloakVersion::V21).then_some(0);
        let claims = IdClaims {
            common,
            session_state: names.session_state,
            sid_first: names.sid_first,
            at_hash: BASE64URL_NOPAD.encode(&digest[..16]),
            acr: "1",
            sid_last: names.sid_last,
            owner,
        };
        jwt::encode(Algorithm::Rs256, &self.access_kid, &claims)
    }
}
