//! A stand-in for the identity service of the Copernicus Data Space Ecosystem, a Keycloak realm, on loopback.
//!
//! [`Sandbox::start`] returns a running service that answers as Keycloak 26.7.3 or 21.1.2 were seen to: status codes, bodies,
//! the order of keys, each header. Tokens have the form of JWTs, but their signatures are random: only the service itself,
//! which knows what it issued, can verify them. A test can move its clock, list and end its sessions, and make it misbehave
//! with a [`Fault`].
//!
//! ```
//! use cdse_sandbox::{Action, Config, Fault, Sandbox};
//!
//! let sandbox = Sandbox::start(Config::default())?;
//! // The next token request is answered by an overloaded balancer, the one after it by the service.
//! sandbox.script(Fault::token(Action::page(503)));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is served
//!
//! Below `/auth/realms/CDSE/`:
//!
//! | path | |
//! | --- | --- |
//! | `protocol/openid-connect/token` | grants `password`, `refresh_token`, `client_credentials` |
//! | `protocol/openid-connect/logout` | with a refresh token |
//! | `protocol/openid-connect/revoke` | |
//! | `protocol/openid-connect/userinfo` | |
//! | `protocol/openid-connect/auth/device` | refused: no client may use the device flow |
//! | `account/sessions`, `account/sessions/ID`, `account/sessions/devices` | list, end one, end all |
//! | `.well-known/openid-configuration` | |
//!
//! And `/odata/v1/Products(ID)/$value`, a protected resource, for valid access tokens whose session is open.
//!
//! Everything else is 404: other grants, introspection, keys and CORS are not implemented.
//!
//! # Control over HTTP
//!
//! Other processes control the service on the same port. Bodies are JSON; a wrong one is answered with 400 and an `error`.
//! These requests are neither logged nor counted, and meet no faults.
//!
//! | request | |
//! | --- | --- |
//! | `GET /sandbox/counters` | [`Counters`] |
//! | `GET /sandbox/requests` | the log, a list of [`Request`]; times are Unix seconds with a fraction |
//! | `DELETE /sandbox/requests` | clears the log and the counters |
//! | `GET /sandbox/sessions` | the open sessions, a list of [`SessionView`] |
//! | `DELETE /sandbox/sessions` | forgets them, as [`Sandbox::restart`] does |
//! | `POST /sandbox/faults` | queues a fault, or a list of them |
//! | `DELETE /sandbox/faults` | forgets the faults that have not been met |
//! | `POST /sandbox/advance` | `{"seconds": 600}` moves the service's clock forward |
//! | `POST /sandbox/lifetimes` | `{"access": 60, "idle": 300, "max": 3600}`, in seconds; keys that are left out do not change |
//! | `GET /sandbox/totp/USERNAME` | `{"code": "123456"}`, of the current step |
//!
//! A fault is an object:
//!
//! ```json
//! {"endpoint": "token", "grant": "refresh_token", "times": 3, "action": {"kind": "reset", "processed": true}}
//! ```
//!
//! - `endpoint`: `token`, `logout`, `revoke`, `userinfo`, `account`, `discovery`, `resource` or `any`. Defaults to `token`.
//! - `grant`: `password`, `refresh_token` or `client_credentials`. Defaults to all of them.
//! - `times`: how many requests meet it; 4294967295 stands for all. Defaults to 1.
//! - `action`: one of [`Action`], without the closure:
//!
//! | `kind` | further keys |
//! | --- | --- |
//! | `answer`, `answer_after` | `status`, `headers` (a list of pairs, may be left out), `body` (text, may be left out) |
//! | `endless` | `status`, `content_type`, `bytes` |
//! | `delay`, `delay_answer` | `milliseconds` |
//! | `torn` | `processed`, `body_bytes` |
//! | `reset`, `stall` | `processed` |
//!
//! # Where it differs from Keycloak
//!
//! - Reuse of a refresh token is always noticed, also within one second ([`Rotation::OneTime`]); likewise
//!   [`Sandbox::push_not_before`] also reaches the tokens of the same second.
//! - `expires_in` is exact; Keycloak sometimes answers a second less.
//! - The quick-login check of brute-force protection is off by default ([`BruteForce`]).
//! - Offline sessions do not run out; Keycloak forgets one that has not been used for a month.
//! - Pages are short.
//! - Nothing is computed for a password, so that a login takes no longer than a refresh ([`Config::latency`]).
//!
//! Tokens are never forgotten: each grant takes a few hundred bytes for as long as the service runs.

mod clock;
mod config;
mod data;
mod endpoint;
mod fault;
mod host;
mod http;
mod log;
mod random;
mod realm;
mod sandbox;
mod state;

pub use clock::Clock;
pub use config::{BruteForce, Client, Config, KeycloakVersion, Lifetimes, Rotation, User};
pub use endpoint::{Endpoint, Grant};
pub use fault::{Action, Edit, Fault};
pub use host::Host;
pub use log::{Counters, Request};
pub use realm::SessionView;
pub use sandbox::Sandbox;
