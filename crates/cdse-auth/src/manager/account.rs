//! What a user may see and do of the account at the identity service.

use http::HeaderValue;

use super::TokenManager;
use super::core::Core;
use crate::endpoint::{AccountSession, Probe, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::reach::DataService;
use crate::record::Grant;

/// What the service says about a token.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It accepts the token.
    Accepted {
        /// How many sessions the account has open; `None` if the token does not open the account API.
        open_sessions: Option<usize>,
    },
    /// It offers no way to find out.
    Unknown,
}

impl TokenManager {
    /// The open sessions of the account, including this one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongCredential`] for an OAuth client, and for a user without the permission;
    /// [`ErrorKind::StillRefused`] when the token is refused, and the renewed one too; when there is no token, and none can
    /// be obtained; when the service does not answer.
    pub async fn sessions(&self) -> Result<Vec<AccountSession>> {
        self.ask_account(|core, header| core.service.sessions(header)).await
    }

    /// Ends one session of the account; its access tokens are then refused.
    ///
    /// The service also reports success for an unknown id: look it up in [`sessions`](Self::sessions) first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongCredential`] for an OAuth client, and for a user without the permission;
    /// [`ErrorKind::StillRefused`] when the token is refused, and the renewed one too; [`ErrorKind::Configuration`] for
    /// an invalid id; when there is no token, and none can be obtained; when the service does not answer.
    pub async fn end_session(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.ask_account(move |core, header| core.service.end_session(&id, header)).await
    }

    /// Asks the service whether it accepts the token. A token that has ended or is refused is renewed first, with a new login
    /// if the session has ended and the provider can log in. Where the service offers no other check, a renewal is the check.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReauthRequired`] when it does not; when there is no token, and none can be obtained; when the service does
    /// not answer.
    pub async fn verify(&self) -> Result<Verdict> {
        match self.sessions().await {
            Ok(sessions) => return Ok(Verdict::Accepted { open_sessions: Some(sessions.len()) }),
            Err(error) if !matches!(error.kind(), ErrorKind::StillRefused | ErrorKind::WrongCredential) => {
                return Err(error);
            }
            Err(_) => {}
        }
        let header = self.authorization_header().await?;
        match self.on_own_thread(move |core| core.service.userinfo(&header)).await? {
            Some(true) => Ok(Verdict::Accepted { open_sessions: None }),
            Some(false) => Err(Error::new(ErrorKind::ReauthRequired, "the identity service refuses the access token")),
            // Whether the session can be renewed tells.
            None if matches!(self.slot().grant, Grant::Password | Grant::RefreshToken) => {
                self.force_refresh().await.map(|_| Verdict::Accepted { open_sessions: None })
            }
            None => Ok(Verdict::Unknown),
        }
    }

    /// Asks the service, without any credential, for its name and its time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Network`] when it is not reached; [`ErrorKind::MalformedAnswer`] when something else answers.
    pub async fn probe(&self) -> Result<Probe> {
        self.on_own_thread(|core| core.service.probe(|| core.clock.now().wall)).await
    }

    async fn ask_account<T: Send + 'static>(
        &self,
        ask: impl Fn(&Core, &HeaderValue) -> Result<Reply<T>> + Clone + Send + 'static,
    ) -> Result<T> {
        let grant = self.slot().grant;
        grant.check_reach(DataService::Account)?;
        let mut header = self.authorization_header().await?;
        for may_renew in [grant != Grant::AccessToken, false] {
            let (ask, theirs) = (ask.clone(), header.clone());
            if let Reply::Accepted(answer) = self.on_own_thread(move |core| ask(core, &theirs)).await? {
                return Ok(answer);
            }
            if !may_renew {
                break;
            }
            header = self.force_refresh_after(&header).await?;
        }
        let why = "the account API refuses this token: it may lack the roles of the account";
        Err(Error::new(ErrorKind::StillRefused, why))
    }
}
