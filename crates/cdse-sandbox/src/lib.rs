//! A stand-in for the identity service of the Copernicus Data Space Ecosystem, a Keycloak realm, on loopback, and for the hosts
//! that its tokens are for.
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
//! The hosts of the data have the three ports after that of the identity service. All of them show the same few products, which
//! are invented: a Sentinel-1 GRD with a real GeoTIFF in it, an orbit file, a Sentinel-2 L1C and an L2A, and one of any size
//! ([`Config::large_product_bytes`]).
//!
//! The catalogue, at [`Sandbox::catalogue_url`], is open to everyone, but not to a token that is not valid (403):
//!
//! | path | |
//! | --- | --- |
//! | `/odata/v1/Products` | `$filter` by `Name eq`, `Collection/Name eq`, `contains(Name,…)` and `startswith(Name,…)`, joined by `and`; `$top`, `$skip`, `$count`, `$orderby`, `$expand`, `$select` |
//! | `/odata/v1/Products(ID)` | one product |
//! | `/odata/v1/Products(ID)/…/$value` and `…/Nodes` | 301 to the same path at the download host, whatever the token and the product |
//!
//! The download host, at [`Sandbox::download_url`], where `…` stands for any number of `Nodes(NAME)/`:
//!
//! | path | |
//! | --- | --- |
//! | `/odata/v1/Products(ID)/…Nodes` | what is in the product, or in a part of it; open to everyone |
//! | `/odata/v1/Products(ID)/…$value` | the bytes: of a product or a folder as a ZIP archive, of a file as itself; for valid access tokens of users whose session is open, four at one time |
//!
//! There are no ranges: who asks for one gets the whole, with 200. Refusals are JSON with a `code`:
//!
//! | status | `code` | |
//! | --- | --- | --- |
//! | 400 | `DAT-ZIP-104` | the path is of another form |
//! | 401 | `DAT-ZIP-604`, `DAT-ZIP-109`, `DAT-ZIP-609` | no token, one that is not valid, one of a service account |
//! | 422 | `DAT-ZIP-111` | the id is not a UUID |
//! | 429 | `DAT-ZIP-100` | four downloads of this user are under way |
//! | 404, 405 | `DAT-ZIP-999` | there is no such product or part; a method other than `GET` |
//!
//! The STAC API, at [`Sandbox::stac_url`], below `/v1`, is open to everyone:
//!
//! | path | |
//! | --- | --- |
//! | `/` | the landing page |
//! | `/collections`, `/collections/ID`, `/collections/ID/items/ID` | |
//! | `/search`, with GET and POST | `collections`, `ids`, `limit` and `token`; what is not implemented is refused with 400 |
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
//! - `endpoint`: `token`, `logout`, `revoke`, `userinfo`, `account`, `discovery`, `resource`, `catalogue`, `download`, `stac` or `any`.
//!   Defaults to `token`.
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
//!
//! # Where it differs from the data hosts
//!
//! - `DAT-ZIP-999`, and the messages of `DAT-ZIP-109` and `DAT-ZIP-111`, are made up: what the service says there is not known.
//!   The same goes for the bodies of 403, 404 and 405 of the catalogue.
//! - A download is over when the last of its bytes has been handed to the connection, which holds a few of them. The service
//!   is known to count it for longer.
//! - Only the GeoTIFF is a picture that can be shown; the JPEG 2000 files are noise.
//! - Files on S3 have addresses, but there is no S3.

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
