//! What it costs to ask a library for a token that it has: `cargo bench` in this folder.
//!
//! Each library is driven as its documentation says, into its own cache, without its cloud: its token comes from a page on
//! 127.0.0.1, from a transport or a resolver of this program, or from the file that it keeps. What is timed is one call and
//! the drop of what it gave, which is looked at where it is: to move it costs more than ours takes. A call that has to wait is not from the cache, and ends the program.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::future::Future;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use divan::Bencher;
use serde_json::json;

/// As long as CDSE's.
static TOKEN: LazyLock<String> = LazyLock::new(|| "x".repeat(1500));
const SCOPE: &str = "scope";
const HOUR: u64 = 3600;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first provider");
    let _context = RUNTIME.enter();
    divan::main();
}

/// What a call gives that need not wait.
fn at_once<F: Future>(call: F) -> F::Output {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(given) => given,
        Poll::Pending => panic!("not from the cache"),
    }
}

fn answer() -> String {
    let token = TOKEN.as_str();
    json!({
        "access_token": token, "expires_in": HOUR, "ext_expires_in": HOUR, "token_type": "Bearer",
        "refresh_token": "not-a-real-token", "refresh_expires_in": HOUR, "scope": SCOPE,
    })
    .to_string()
}

/// A token endpoint that gives everybody a token.
fn endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !is_whole(&request) {
                let read = stream.read(&mut piece).expect("a request");
                assert_ne!(read, 0, "a torn request");
                request.extend_from_slice(&piece[..read]);
            }
            let body = answer();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).expect("an answer");
        }
    });
    format!("http://{address}")
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.map_or(0, |length| length.trim().parse().expect("a length"))
}

mod cdse_auth {
    use super::*;

    fn manager() -> ::cdse_auth::TokenManager {
        let provider = ::cdse_auth::PasswordAuth::new("user@example.com", "not-a-real-password");
        let transport = ::cdse_auth::TransportConfig::new().with_proxy(::cdse_auth::Proxy::None);
        let realm = format!("{}/auth/realms/CDSE", endpoint());
        let manager = ::cdse_auth::TokenManager::builder(provider).realm_url(&realm).transport(transport).build();
        let manager = manager.expect("good settings");
        RUNTIME.block_on(manager.authorization_header()).expect("a token");
        manager
    }

    #[divan::bench(name = "authorization_header()")]
    fn header(bencher: Bencher<'_, '_>) {
        let manager = manager();
        bencher.bench_local(|| _ = black_box(&at_once(manager.authorization_header()).expect("a header")));
    }

    #[divan::bench(name = "fresh_header()")]
    fn fresh(bencher: Bencher<'_, '_>) {
        let manager = manager();
        bencher.bench_local(|| _ = black_box(&manager.fresh_header().expect("a header")));
    }
}

mod google_cloud_auth {
    use super::*;
    use ::google_cloud_auth::credentials::{CacheableResource, user_account::Builder};

    fn builder() -> Builder {
        Builder::new(json!({
            "type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "not-a-real-token",
        }))
        .with_token_uri(endpoint())
    }

    #[divan::bench(name = "headers()")]
    fn headers(bencher: Bencher<'_, '_>) {
        let credentials = builder().build().expect("good settings");
        RUNTIME.block_on(credentials.headers(http::Extensions::new())).expect("a token");
        bencher.bench_local(|| {
            let headers = at_once(credentials.headers(http::Extensions::new())).expect("a token");
            assert!(matches!(headers, CacheableResource::New { .. }));
            black_box(&headers);
        });
    }

    /// For a caller that shows the tag of the headers it has.
    #[divan::bench(name = "headers(), not modified")]
    fn headers_not_modified(bencher: Bencher<'_, '_>) {
        let credentials = builder().build().expect("good settings");
        let headers = RUNTIME.block_on(credentials.headers(http::Extensions::new())).expect("a token");
        let CacheableResource::New { entity_tag, .. } = headers else { panic!("not the first") };
        let mut known = http::Extensions::new();
        known.insert(entity_tag);
        bencher.bench_local(|| {
            let headers = at_once(credentials.headers(known.clone())).expect("a token");
            assert!(matches!(headers, CacheableResource::NotModified));
            black_box(&headers);
        });
    }

    #[divan::bench(name = "access_token()")]
    fn access_token(bencher: Bencher<'_, '_>) {
        let credentials = builder().build_access_token_credentials().expect("good settings");
        RUNTIME.block_on(credentials.access_token()).expect("a token");
        bencher.bench_local(|| _ = black_box(&at_once(credentials.access_token()).expect("a token")));
    }
}

mod azure {
    use super::*;
    use azure_core::credentials::TokenCredential;
    use azure_core::http::headers::Headers;
    use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
    use azure_core::http::policies::{Policy, PolicyResult};
    use azure_core::http::{
        AsyncRawResponse, ClientOptions, Context, HttpClient, Method, Request, StatusCode, Transport, Url,
    };
    use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

    /// The wire of this program: its credential speaks https alone.
    #[derive(Debug)]
    struct Wire;

    #[async_trait::async_trait]
    impl HttpClient for Wire {
        async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), answer()))
        }
    }

    fn credential() -> Arc<ClientSecretCredential> {
        let client_options =
            ClientOptions { transport: Some(Transport::new(Arc::new(Wire))), ..ClientOptions::default() };
        let options = ClientSecretCredentialOptions { client_options, ..ClientSecretCredentialOptions::default() };
        ClientSecretCredential::new("tenant", "a".to_owned(), "not-a-real-secret".into(), Some(options))
            .expect("good settings")
    }

    #[divan::bench(name = "azure_identity, get_token()")]
    fn get_token(bencher: Bencher<'_, '_>) {
        let credential = credential();
        RUNTIME.block_on(credential.get_token(&[SCOPE], None)).expect("a token");
        bencher.bench_local(|| _ = black_box(&at_once(credential.get_token(&[SCOPE], None)).expect("a token")));
    }

    /// The policy has a cache of its own, which only a request reaches; this is the end of that request.
    #[derive(Debug)]
    struct End;

    #[async_trait::async_trait]
    impl Policy for End {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), ""))
        }
    }

    fn through(bencher: Bencher<'_, '_>, policies: &[Arc<dyn Policy>]) {
        let url = Url::parse("https://127.0.0.1/").expect("a URL");
        let mut request = Request::new(url, Method::Get);
        let context = Context::new();
        let (first, rest) = policies.split_first().expect("a policy");
        RUNTIME.block_on(first.send(&context, &mut request, rest)).expect("a token");
        bencher.bench_local(|| _ = black_box(&at_once(first.send(&context, &mut request, rest)).expect("a token")));
    }

    #[divan::bench(name = "azure_core, bearer policy around a request")]
    fn policy(bencher: Bencher<'_, '_>) {
        through(bencher, &[Arc::new(BearerTokenAuthorizationPolicy::new(credential(), [SCOPE])), Arc::new(End)]);
    }

    #[divan::bench(name = "azure_core, that request without the policy")]
    fn no_policy(bencher: Bencher<'_, '_>) {
        through(bencher, &[Arc::new(End)]);
    }
}

mod aws_smithy {
    use super::*;
    use aws_smithy_async::rt::sleep::TokioSleep;
    use aws_smithy_async::time::SystemTimeSource;
    use aws_smithy_runtime::client::identity::IdentityCache;
    use aws_smithy_runtime_api::client::identity::http::Token;
    use aws_smithy_runtime_api::client::identity::{
        Identity, IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityResolver,
    };
    use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
    use aws_smithy_types::config_bag::ConfigBag;

    #[derive(Debug)]
    struct Resolver;

    impl ResolveIdentity for Resolver {
        fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
            let end = Some(SystemTime::now() + Duration::from_secs(HOUR));
            IdentityFuture::ready(Ok(Identity::new(Token::new(TOKEN.clone(), end), end)))
        }
    }

    #[divan::bench(name = "lazy identity cache")]
    fn identity(bencher: Bencher<'_, '_>) {
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(SystemTimeSource::new()))
            .with_sleep_impl(Some(TokioSleep::new()))
            .build()
            .expect("all components");
        let config = ConfigBag::base();
        let cache = IdentityCache::lazy().build();
        let resolver = SharedIdentityResolver::new(Resolver);
        let call = || cache.resolve_cached_identity(resolver.clone(), &components, &config);
        RUNTIME.block_on(call()).expect("an identity");
        bencher.bench_local(|| _ = black_box(&at_once(call()).expect("an identity")));
    }
}

mod yup_oauth2 {
    use super::*;
    use ::yup_oauth2::authenticator_delegate::{DefaultInstalledFlowDelegate, InstalledFlowDelegate};
    use ::yup_oauth2::storage::TokenInfo;
    use ::yup_oauth2::{ApplicationSecret, InstalledFlowAuthenticator, InstalledFlowReturnMethod};

    /// Its cache in memory is filled from its file.
    #[divan::bench(name = "token()")]
    fn token(bencher: Bencher<'_, '_>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tokens.json");
        let token = TokenInfo {
            access_token: Some(TOKEN.clone()),
            refresh_token: None,
            expires_at: Some(time::OffsetDateTime::now_utc() + Duration::from_secs(HOUR)),
            id_token: None,
        };
        std::fs::write(&file, json!([{ "scopes": [SCOPE], "token": token }]).to_string()).expect("a file");
        let secret = ApplicationSecret { token_uri: endpoint(), ..ApplicationSecret::default() };
        let delegate: Box<dyn InstalledFlowDelegate> = Box::new(DefaultInstalledFlowDelegate);
        let authenticator = InstalledFlowAuthenticator::builder(secret, InstalledFlowReturnMethod::Interactive)
            .persist_tokens_to_disk(file)
            .flow_delegate(delegate)
            .build();
        let authenticator = RUNTIME.block_on(authenticator).expect("good settings");
        bencher.bench_local(|| _ = black_box(&at_once(authenticator.token(&[SCOPE])).expect("a token")));
    }
}

mod gcp_auth {
    use super::*;
    use ::gcp_auth::{CustomServiceAccount, TokenProvider};
    use rsa::pkcs8::{EncodePrivateKey, LineEnding};

    #[divan::bench(name = "token()")]
    fn token(bencher: Bencher<'_, '_>) {
        let mut chance = rsa::rand_core::UnwrapErr(getrandom::SysRng);
        let key = rsa::PrivateKey::new(&mut chance, 2048).expect("a key");
        let account = json!({
            "type": "service_account", "client_email": "user@example.com", "token_uri": endpoint(),
            "private_key": key.to_pkcs8_pem(LineEnding::LF).expect("a key").as_str(),
        });
        let account = CustomServiceAccount::from_json(&account.to_string()).expect("good settings");
        RUNTIME.block_on(account.token(&[SCOPE])).expect("a token");
        bencher.bench_local(|| _ = black_box(&at_once(account.token(&[SCOPE])).expect("a token")));
    }
}
