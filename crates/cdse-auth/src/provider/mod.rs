//! Authentication providers: how the first token is obtained.
//!
//! A provider says which form fields open a session, for which client id and user, and whether it can do so now, later
//! or never again. It makes no network request: the [`TokenManager`](crate::TokenManager) owns the exchange and every
//! renewal.

mod access_token;
mod client_credentials;
mod code;
mod password;
mod refresh_token;
mod stored;

use std::borrow::Cow;
use std::fmt;

pub use access_token::AccessTokenAuth;
pub use client_credentials::ClientCredentialsAuth;
pub(crate) use code::GIVEN_LIFE;
pub use code::{CodeSource, OneTimeCode, TotpSecret};
pub use password::PasswordAuth;
pub use refresh_token::RefreshTokenAuth;
pub(crate) use refresh_token::{given_refresh_token, refresh_grant};
pub use stored::StoredSession;

use crate::error::Result;
use crate::record::Grant;
use crate::secret::Secret;

/// The client id of the Copernicus Data Space Ecosystem's public client.
pub const DEFAULT_CLIENT_ID: &str = "cdse-public";

/// The form fields of one token request, in the order in which they are sent. All values are handled as secrets.
pub type GrantData = Vec<(Cow<'static, str>, Secret)>;

/// How the first token of a session is obtained.
///
/// Implementations hold secrets and show none in `Debug`. Every method returns at once and makes no request. A one-time code
/// that a user has to be asked for takes time: [`code_source`](Self::code_source) says how to ask.
pub trait AuthProvider: fmt::Debug + Send + Sync {
    /// The grant of the first request.
    fn grant(&self) -> Grant;

    /// The OAuth client id.
    fn client_id(&self) -> &str;

    /// The user name, as given; `None` where there is no user.
    fn username(&self) -> Option<&str> {
        None
    }

    /// What distinguishes this provider's session from others of the same client. Defaults to the user name in lower case. It
    /// becomes part of the [`Slot`](crate::Slot) and must hold no secret.
    fn subject(&self) -> Option<String> {
        self.username().map(str::to_lowercase)
    }

    /// The form fields of the first token request (RFC 6749 §4.3.2, §4.4.2, §6), without a one-time code: the manager adds
    /// that (as `totp`), because it must be recorded before it is sent. Empty where nothing can be sent.
    ///
    /// # Errors
    ///
    /// When the fields cannot be had. Nothing is sent then, and the caller gets the error as it is.
    fn grant_data(&self) -> Result<GrantData>;

    /// Whether it can open a session.
    fn ability(&self) -> Ability;

    /// Where one-time codes come from.
    fn code_source(&self) -> CodeSource<'_> {
        CodeSource::None
    }
}

/// The fields of a form whose names are known.
fn form<const N: usize>(fields: [(&'static str, Secret); N]) -> GrantData {
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// Whether a provider can open a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// At any time, as often as needed (a one-time code may have to be waited for).
    Login,
    /// Never: only an existing session can be used.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Slot;

    #[derive(Debug)]
    struct Least;

    impl AuthProvider for Least {
        fn grant(&self) -> Grant {
            Grant::AccessToken
        }

        fn client_id(&self) -> &str {
            DEFAULT_CLIENT_ID
        }

        fn grant_data(&self) -> Result<GrantData> {
            Ok(GrantData::new())
        }

        fn ability(&self) -> Ability {
            Ability::Never
        }
    }

    #[test]
    fn p1_a_provider_is_nobody_and_has_no_code_unless_it_says_so() {
        assert_eq!((Least.username(), Least.subject()), (None, None));
        assert!(matches!(Least.code_source(), CodeSource::None));
    }

    #[test]
    fn p3_each_given_refresh_token_has_a_slot_of_its_own_that_does_not_show_it() {
        let of = |token: &str| RefreshTokenAuth::new(token).subject().unwrap();
        assert_ne!(of("token-one"), of("token-two"));
        assert_eq!(of("token-one"), of("token-one"));
        assert!(!of("token-one").contains("token-one"));
    }

    #[test]
    fn p3_a_stored_session_is_shown_as_its_user() {
        let slot = Slot {
            token_url: "https://id.example/token".to_owned(),
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            grant: Grant::Password,
            subject: Some("user@example.com".to_owned()),
        };
        let session = StoredSession::new(slot, Some("User@example.com".to_owned()));
        assert_eq!(session.username(), Some("User@example.com"));
        assert_eq!(session.subject().as_deref(), Some("user@example.com"));
    }

    #[test]
    fn p3_each_provider_says_which_client_it_is() {
        let machine = ClientCredentialsAuth::new("sh-client", "not-a-real-secret");
        assert_eq!(machine.client_id(), "sh-client");
        assert_eq!(AccessTokenAuth::new("token").client_id(), "");
        assert_eq!(RefreshTokenAuth::new("token").with_client_id("other").client_id(), "other");
    }
}
