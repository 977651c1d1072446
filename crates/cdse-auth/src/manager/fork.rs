//! A forked process has none of its parent's threads, and its locks may be held for ever: its managers begin anew.

use http::HeaderValue;

use super::builder::fixed_token;
use super::core::Core;
use super::header::HeaderCell;
use super::shared::Shared;
use crate::provider::CodeSource;
use crate::record::UsedCode;
use crate::sync::{Arc, Condvar, Mutex, OnceLock, try_lock};

impl Core {
    /// The core of this process. It is asked for where an exchange may begin, and not on the way to a fresh header: until then a
    /// header is as good in a forked process.
    pub(super) fn here(self: &Arc<Self>) -> &Arc<Self> {
        self.of_process(std::process::id())
    }

    fn of_process(self: &Arc<Self>, process: u32) -> &Arc<Self> {
        let mut core = self;
        while core.process != process {
            core = core.child.get_or_init(|| {
                core.header.give_up();
                Arc::new(core.anew(process))
            });
        }
        core
    }

    /// The header of this process, where that was forked and has begun anew.
    #[cold]
    pub(super) fn fresh_in_fork(&self) -> Option<HeaderValue> {
        let mut core = self;
        loop {
            core = core.child.get()?;
            if let Some(header) = core.header.get(&core.clock, Some, || None) {
                return Some(header);
            }
        }
    }

    /// The core of this process, if anything was done with it here.
    pub(super) fn begun_here(self: &Arc<Self>) -> Option<&Arc<Self>> {
        let mut core = self;
        while core.process != std::process::id() {
            core = core.child.get()?;
        }
        Some(core)
    }

    /// No lock of this one is waited for.
    fn anew(&self, process: u32) -> Self {
        let mut shared = Shared::default();
        shared.sent_codes = self.codes_of_parent();
        let store = self.store.anew(&self.random);
        let core = Self {
            process,
            child: OnceLock::new(),
            provider: Arc::clone(&self.provider),
            // Whether the parent has sent it is known where they share a store, and nowhere else.
            given: self.given.clone().filter(|_| store.records().description().shared),
            service: self.service.anew(),
            store,
            slot: self.slot.clone(),
            skew: self.skew,
            patience: self.patience,
            one_shot: self.one_shot,
            clock: self.clock.clone(),
            timer: Arc::default(),
            ahead: self.ahead,
            random: self.random.clone(),
            header: HeaderCell::default(),
            shared: Mutex::new(shared),
            changed: Arc::new(Condvar::new()),
            section: Mutex::new(()),
            me: Self::name(process),
        };
        if let Ok(Some(record)) = fixed_token(core.provider.as_ref(), &core.slot, &core.clock, &core.random) {
            // It is in memory, which takes it.
            let _ = core.store.records().commit(&core.slot, None, &record);
        }
        core
    }

    /// The codes that the parent has sent or may send. Where that cannot be read, the one of now is taken for sent.
    fn codes_of_parent(&self) -> Vec<UsedCode> {
        let known = try_lock(&self.shared).map(|shared| shared.sent_codes.clone());
        let of_now = match self.provider.code_source() {
            CodeSource::Given(code) => Some(UsedCode::Given(code.digits.fingerprint())),
            CodeSource::Totp(secret) if known.is_none() => Some(UsedCode::Step(secret.step_at(self.clock.now().wall))),
            _ => None,
        };
        known.into_iter().flatten().chain(of_now).collect()
    }

    /// `pid@host`
    pub(super) fn name(process: u32) -> String {
        format!("{process}@{}", cdse_files::host_name())
    }
}

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use std::sync::Mutex as Plain;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::manager::TokenManager;
    use crate::store::TokenStore;
    use crate::{
        ClientCredentialsAuth, HttpSend, ManualClock, MemoryTokenStore, PasswordAuth, Result, SendError, TokenSet,
        TotpSecret,
    };

    /// Answers each request with tokens of a number of its own, and keeps the forms.
    #[derive(Clone, Debug, Default)]
    struct Service(Arc<Plain<Vec<String>>>);

    impl HttpSend for Service {
        fn send(&self, request: http::Request<Bytes>, _: Duration) -> Result<http::Response<Bytes>, SendError> {
            let mut forms = self.0.lock().unwrap();
            forms.push(String::from_utf8(request.body().to_vec()).unwrap());
            let nth = forms.len();
            let answer = format!(
                r#"{{"access_token":"access-{nth}","expires_in":600,"refresh_token":"refresh-{nth}","refresh_expires_in":3600}}"#
            );
            Ok(http::Response::new(answer.into()))
        }
    }

    /// As it is in a process that was forked: with the locks of its parent held for ever.
    fn forked(manager: &TokenManager) -> Arc<Core> {
        let held = (manager.core.shared.lock().unwrap(), manager.core.section.lock().unwrap());
        let child = Arc::clone(manager.core.of_process(0));
        drop(held);
        child
    }

    fn header(core: &Arc<Core>) -> String {
        let want = crate::plan::Want::Fresh;
        let header = crate::sync::block_on(core.obtain(want, None)).unwrap();
        header.to_str().unwrap().to_owned()
    }

    fn manager(service: &Service, code: bool) -> TokenManager {
        let provider = PasswordAuth::new("user@example.com", "not-a-real-password");
        let provider = if code { provider.with_code("123456") } else { provider };
        TokenManager::builder(provider).http(service.clone()).build().unwrap()
    }

    #[test]
    fn x6_a_forked_process_opens_a_session_of_its_own_and_sends_no_token_of_its_parent() {
        let service = Service::default();
        let manager = manager(&service, false);
        assert_eq!(header(&manager.core), "Bearer access-1");
        let child = forked(&manager);
        assert_eq!(header(&child), "Bearer access-2");
        assert_eq!(manager.fresh_header(), None, "its parent's header is not served beside its own");
        assert_eq!(crate::sync::block_on(manager.authorization_header()).unwrap(), "Bearer access-2");
        let grandchild = Arc::clone(child.of_process(1));
        assert_eq!(header(&grandchild), "Bearer access-3");
        let forms = service.0.lock().unwrap().clone();
        assert!(forms.iter().all(|form| form.contains("grant_type=password")), "{forms:?}");
        assert!(Arc::ptr_eq(manager.core.of_process(0), &child), "it is made once");
    }

    #[test]
    fn x6_a_code_that_was_given_is_its_parents() {
        let service = Service::default();
        let manager = manager(&service, true);
        let child = forked(&manager);
        let failed = crate::sync::block_on(child.obtain(crate::plan::Want::Fresh, None)).unwrap_err();
        assert_eq!(failed.kind(), crate::ErrorKind::ReauthRequired, "{failed}");
        assert!(service.0.lock().unwrap().is_empty());
    }

    /// A code works once (RFC 6238 §5.2), and the parent has sent that of now, or may have.
    #[test]
    fn x6_a_forked_process_waits_for_a_code_that_its_parent_has_not_sent() {
        for locks_are_held in [false, true] {
            let (service, time) = (Service::default(), ManualClock::at(1_800_000_000));
            let secret = TotpSecret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
            let provider = PasswordAuth::new("user@example.com", "not-a-real-password").with_totp_secret(secret);
            let builder = TokenManager::builder(provider).http(service.clone()).clock(time.clock());
            let manager = builder.build().unwrap();
            header(&manager.core);
            let child = if locks_are_held { forked(&manager) } else { Arc::clone(manager.core.of_process(0)) };
            std::thread::scope(|scope| {
                let caller = scope.spawn(|| header(&child));
                while !caller.is_finished() {
                    time.advance(Duration::from_millis(100));
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            });
            let forms = service.0.lock().unwrap();
            let code = |nth: usize| forms[nth].split('&').find(|field| field.starts_with("totp=")).unwrap();
            assert!(forms.len() == 2 && code(0) != code(1), "{forms:?}");
        }
    }

    #[test]
    fn x6_a_given_refresh_token_is_its_parents_unless_processes_share_the_store() {
        let folder = tempfile::tempdir().unwrap();
        for shared in [false, true] {
            let service = Service::default();
            let builder = TokenManager::builder(crate::RefreshTokenAuth::new("given")).http(service.clone());
            let file = crate::FileTokenStore::new(folder.path().join("session.json"));
            let manager = if shared { builder.store(file) } else { builder }.build().unwrap();
            let told = crate::sync::block_on(forked(&manager).obtain(crate::plan::Want::Fresh, None));
            if shared {
                assert_eq!(told.unwrap(), "Bearer access-1");
            } else {
                let error = told.unwrap_err();
                assert_eq!(error.kind(), crate::ErrorKind::ReauthRequired);
                assert!(error.message().contains("belongs to the process that forked this one"), "{error}");
            }
            assert_eq!(service.0.lock().unwrap().len(), usize::from(shared));
        }
    }

    /// A store of somebody else's, with what its owner saved.
    #[derive(Clone, Debug, Default)]
    struct Simple(MemoryStoreOfTokens);

    type MemoryStoreOfTokens = Arc<Plain<Option<TokenSet>>>;

    impl TokenStore for Simple {
        fn load(&self) -> Result<Option<TokenSet>> {
            Ok(self.0.lock().unwrap().clone())
        }

        fn save(&self, tokens: &TokenSet) -> Result<()> {
            *self.0.lock().unwrap() = Some(tokens.clone());
            Ok(())
        }

        fn clear(&self) -> Result<()> {
            *self.0.lock().unwrap() = None;
            Ok(())
        }
    }

    #[test]
    fn x6_a_forked_process_uses_the_access_token_of_a_simple_store_and_not_its_refresh_token() {
        let (service, store) = (Service::default(), Simple::default());
        let provider = PasswordAuth::new("user@example.com", "not-a-real-password");
        let builder = TokenManager::builder(provider).http(service.clone()).store(store.clone());
        let manager = builder.build().unwrap();
        assert_eq!(header(&manager.core), "Bearer access-1");
        let child = forked(&manager);
        assert_eq!(header(&child), "Bearer access-1");
        let want = crate::plan::Want::Renewal { since: child.clock.now().wall, not: None, after: None };
        crate::sync::block_on(child.obtain(want, None)).unwrap();
        assert_eq!(header(&child), "Bearer access-2");
        assert!(service.0.lock().unwrap()[1].contains("grant_type=password"));
        let want = crate::plan::Want::Renewal { since: child.clock.now().wall, not: None, after: None };
        crate::sync::block_on(child.obtain(want, None)).unwrap();
        assert!(service.0.lock().unwrap()[2].contains("refresh_token=refresh-2"), "its own is");
    }

    #[test]
    fn x6_a_fixed_token_is_used_in_a_forked_process_too() {
        let manager = TokenManager::new(crate::AccessTokenAuth::new("fixed")).unwrap();
        assert_eq!(header(&forked(&manager)), "Bearer fixed");
        let machine = ClientCredentialsAuth::new("sh-client", "not-a-real-secret");
        let manager = TokenManager::builder(machine).http(Service::default()).store(MemoryTokenStore::new());
        assert_eq!(header(&forked(&manager.build().unwrap())), "Bearer access-1");
    }
}
