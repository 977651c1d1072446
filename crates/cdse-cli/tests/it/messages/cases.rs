//! The situations, by what a person was about to do.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use cdse_sandbox::{Action, BruteForce, Endpoint, Fault, Rotation};

use super::Case;
use super::stage::{Set, Stage, Told, is_root};
use crate::rig::{Certificate, Habit, NAME, Rig};
use crate::support::{MFA, PASSWORD, TOTP_SECRET, USER};

pub(super) const SECTIONS: &[(&str, &[Case])] = &[
    ("Logging in", LOGGING_IN),
    ("A session that has ended", ENDED),
    ("The account", ACCOUNT),
    ("The service and the network", SERVICE),
    ("The service's address", ADDRESS),
    ("Session files", SESSION_FILES),
    ("Profiles", PROFILES),
    ("Credentials in the environment", ENVIRONMENT),
    ("Programs that print a secret", PROGRAMS),
    ("A netrc file", NETRC),
    ("Arguments", ARGUMENTS),
    ("Running a program", RUNNING),
    ("Header files and other output", OUTPUT),
    ("The embedded service", SANDBOX),
];

const fn case(title: &'static str, advice: &'static str, bring: fn(&Stage) -> Option<Told>) -> Case {
    Case { title, advice, bring }
}

fn fault(set: &Set, endpoint: Endpoint, action: Action) {
    set.world.sandbox.script(Fault::new(endpoint, action).always());
}

fn code(set: &Set) -> String {
    set.world.sandbox.totp_code(MFA).unwrap()
}

/// An answer that asks for a pause longer than anybody waits.
fn busy(status: u16) -> Action {
    Action::Answer { status, headers: vec![("retry-after".to_owned(), "300".to_owned())], body: Vec::new() }
}

const LOGGING_IN: &[Case] = &[
    case(
        "Not logged in",
        "No session is stored under the current profile, and the environment holds no credentials. Log in once; every \
         program that you run on this machine can then use the session. `cdse auth list` shows the accounts that are \
         logged in.",
        |stage| stage.typed("auth token"),
    ),
    case(
        "The profile is not logged in",
        "`--profile`, `CDSE_PROFILE` or `cdse auth switch` names a profile that is not logged in. Log in under it, or \
         name another profile: `cdse auth list` shows them.",
        |stage| stage.typed("auth token --profile second"),
    ),
    case(
        "Wrong user name or password",
        "The service gives the same answer for a wrong user name, a wrong password, a missing or wrong one-time code, \
         and an account that is locked after failed tries. Check the password by signing in on the web site, and do \
         not try a third time within the same minute.",
        |stage| stage.world().log_in(USER, "wrong").tell(),
    ),
    case(
        "Missing one-time code",
        "An account with a second factor needs a code for every login, and the service does not say that the code is \
         missing. Each try without a code counts as failed.",
        |stage| stage.world().log_in(MFA, PASSWORD).tell(),
    ),
    case(
        "Wrong one-time code",
        "A code is valid for half a minute and works once. Wait for the next one. If it fails too, check the clock: \
         `cdse auth doctor` shows how far this machine's clock is off.",
        |stage| stage.world().log_in(&format!("{MFA} --totp 000000"), PASSWORD).tell(),
    ),
    case(
        "The account is locked after failed tries",
        "While the account is locked, the service refuses the right password too, and does not say why. Because a \
         recent login worked, a lock is the likely cause: wait a minute before the next try.",
        |stage| {
            let lock = BruteForce { max_failures: 2, ..BruteForce::default() };
            let set = stage.with(|config| config.brute_force = Some(lock));
            set.log_in(USER, PASSWORD).run().ok();
            set.cdse("auth logout").run().ok();
            set.log_in(USER, "wrong").run().exits(4);
            set.log_in(USER, "wrong").run().exits(4);
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The account is disabled",
        "The service has closed the account, or the user has not confirmed it. Only the account's owner can change \
         that, on the web site.",
        |stage| stage.world().log_in("disabled@example.com", PASSWORD).tell(),
    ),
    case(
        "The account needs an action in a browser",
        "Accepting new terms, confirming an e-mail address or changing a password is possible only in a browser. Sign \
         in on the web site once, then log in here.",
        |stage| stage.world().log_in("action@example.com", PASSWORD).tell(),
    ),
    case(
        "Too many open sessions",
        "An account may hold 100 sessions at the Copernicus Data Space Ecosystem. Each one counts until it ends, an \
         hour after its last use. Jobs that log in by themselves and never log out use them up. On a machine that is \
         logged in, `cdse auth sessions` shows and ends them.",
        |stage| {
            let set = stage.with(|config| config.session_limit = Some(1));
            set.log_in(USER, PASSWORD).run().ok();
            set.log_in(USER, PASSWORD).env("CDSE_STATE_DIR", "/tmp/cdse-that-is-not-made").tell()
        },
    ),
    case(
        "No terminal to ask for the user name",
        "Without a terminal, with `--no-input` or with `CDSE_NO_INPUT=1`, `cdse` asks no questions: pass everything \
         as options or in the environment.",
        |stage| stage.typed("auth login --no-input"),
    ),
    case(
        "No terminal to ask for the password",
        "A password cannot be an argument, because every user of the machine can see arguments. Pass it on standard \
         input, from a program, or in the environment.",
        |stage| stage.typed("auth login --username user@example.com"),
    ),
    case(
        "No terminal to ask for the one-time code",
        "`cdse` remembers that this account uses one-time codes, so it does not try without one: that try would count \
         as failed.",
        |stage| {
            let set = stage.world();
            set.log_in(&format!("{MFA} --totp {}", code(&set)), PASSWORD).run().ok();
            set.cdse("auth logout").run().ok();
            set.log_in(MFA, PASSWORD).tell()
        },
    ),
    case("Client secret without a client id", "The secret alone does not say which client it belongs to.", |stage| {
        stage.world().cdse("auth login --client-secret-stdin").stdin("sh-secret").tell()
    }),
    case(
        "The client does not allow this login",
        "`--client-id` names a client that exists but does not allow logins with a user name and password. Leave the \
         option out unless you were told to use it.",
        |stage| stage.world().log_in(&format!("{USER} --client-id no-grants"), PASSWORD).tell(),
    ),
    case(
        "Standard input is empty",
        "The command before the pipe printed nothing, perhaps because it failed, or the file is empty.",
        |stage| stage.world().log_in(USER, "").tell(),
    ),
    case(
        "Standard input is not valid UTF-8",
        "The pipe delivered something other than the password, or the password is stored in an encoding other than \
         UTF-8.",
        |stage| stage.world().log_in(USER, "\u{0}").stdin(b"p\xff").tell(),
    ),
    case(
        "Standard input is too long",
        "This is probably the wrong file: a password must be shorter than 64 KiB.",
        |stage| stage.world().log_in(USER, "x".repeat(100_000).as_str()).tell(),
    ),
];

const ENDED: &[Case] = &[
    case(
        "The session was ended at the service",
        "The session was logged out elsewhere (on the account's pages, or with `cdse auth sessions end`), or the \
         service was restarted. Log in again.",
        |stage| {
            let set = stage.logged_in();
            set.world.sandbox.end_session(&set.world.sandbox.sessions()[0].id);
            set.world.age(700);
            set.typed("auth token")
        },
    ),
    case(
        "The session has expired",
        "A session ends if it is not renewed for about an hour, and after some hours in any case. For a job that runs \
         longer, put the credentials into its environment: the job then logs in again by itself (`cdse help \
         credentials`).",
        |stage| {
            let set = stage.logged_in();
            set.world.age(4000);
            set.world.sandbox.advance(std::time::Duration::from_secs(4000));
            set.typed("auth token")
        },
    ),
    case(
        "Two machines used copies of the same session",
        "Where a refresh token works once, a second use looks like theft, and the service ends the session for all \
         machines. A state folder belongs to one machine: log in on each machine separately, or give the other one \
         `CDSE_ACCESS_TOKEN`.",
        |stage| {
            let set = stage.with(|config| config.rotation = Rotation::OneTime);
            set.log_in(USER, PASSWORD).run().ok();
            set.world.age(700);
            let copy = fs::read(set.world.session_file()).unwrap();
            set.cdse("auth token").run().ok();
            fs::write(set.world.session_file(), copy).unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The refresh token in the environment is refused",
        "The token was used elsewhere, has ended, or belongs to another service or client. A refresh token works only \
         as long as the session that it came from.",
        |stage| stage.world().cdse("auth token").env("CDSE_REFRESH_TOKEN", "eyCANARY").tell(),
    ),
    case(
        "The refresh token in the environment was logged out",
        "`cdse auth logout` has ended the session of this token, and the token cannot open a new one.",
        |stage| {
            let set = stage.logged_in();
            let token = set.world.stored_refresh_token();
            set.cdse("auth token").env("CDSE_REFRESH_TOKEN", &token).run().ok();
            set.cdse("auth logout").env("CDSE_REFRESH_TOKEN", &token).run().ok();
            set.cdse("auth token").env("CDSE_REFRESH_TOKEN", &token).tell()
        },
    ),
    case(
        "The access token in the environment has expired",
        "An access token lives about ten minutes, and `cdse` cannot renew one that it did not obtain itself.",
        |stage| {
            let claims = data_encoding::BASE64URL_NOPAD.encode(br#"{"iat":1000,"exp":1600}"#);
            stage.world().cdse("auth token").env("CDSE_ACCESS_TOKEN", format!("eyJ.{claims}.x")).tell()
        },
    ),
    case(
        "The one-time code in the environment was already used",
        "`CDSE_TOTP` works for one login. A job that has to log in again needs `CDSE_TOTP_SECRET` or \
         `CDSE_TOTP_COMMAND`.",
        |stage| {
            let set = stage.world();
            let code = code(&set);
            set.cdse_as(MFA, "auth token").env("CDSE_TOTP", &code).run().ok();
            set.cdse_as(MFA, "auth logout").run().ok();
            set.cdse_as(MFA, "auth token").env("CDSE_TOTP", &code).tell()
        },
    ),
    case(
        "The client's token has expired",
        "The client's secret is not stored, so its token cannot be renewed after half an hour. To use the client for \
         longer, set `CDSE_CLIENT_ID` and `CDSE_CLIENT_SECRET`.",
        |stage| {
            let set = stage.world();
            set.cdse("auth login --client-id sh-client --client-secret-stdin").stdin("sh-secret").run().ok();
            set.world.age(2000);
            set.typed("auth token")
        },
    ),
    case(
        "The profile belongs to another service",
        "`CDSE_IDENTITY_URL` is not the service at which this profile was logged in. Each profile remembers its own \
         service, so the variable is needed only for a login.",
        |stage| stage.logged_in().cdse("auth token").env("CDSE_IDENTITY_URL", "https://id.example/realms/other").tell(),
    ),
];

const ACCOUNT: &[Case] = &[
    case(
        "A client's token for a service that needs a user",
        "Downloads, S3 keys and the account's sessions need a user's token; they refuse the token of an OAuth client \
         with `DAT-ZIP-609`. `cdse` reports this before it sends anything.",
        |stage| {
            let call = stage.world();
            let call = call.cdse("auth token --for download").env("CDSE_CLIENT_ID", "sh-client");
            call.env("CDSE_CLIENT_SECRET", "sh-secret").tell()
        },
    ),
    case(
        "Invisible character in a secret",
        "Kubernetes secrets and `docker --env-file` often include a line end, and pasted text may contain invisible \
         characters. Nothing was sent. A secret in a file (`CDSE_PASSWORD_FILE`) may end with one line end.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth token").env("CDSE_USERNAME", USER);
            call.env("CDSE_PASSWORD", "secret\n").tell()
        },
    ),
    case(
        "A secret is given twice",
        "A secret comes either from its variable or from the file that `…_FILE` names. Neither takes precedence over \
         the other.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth token").env("CDSE_USERNAME", USER);
            call.env("CDSE_PASSWORD", "secret").env("CDSE_PASSWORD_FILE", "/run/secrets/cdse").tell()
        },
    ),
    case("Clients have no list of sessions", "Only users have a list of sessions.", |stage| {
        let set = stage.world();
        let call = set.cdse("auth sessions").env("CDSE_CLIENT_ID", "sh-client");
        call.env("CDSE_CLIENT_SECRET", "sh-secret").tell()
    }),
    case(
        "The account API refuses the token",
        "The token is valid, because it was renewed a moment ago, but it does not give access to the list of \
         sessions. The account's pages on the web site show the same list.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(401));
            set.typed("auth sessions")
        },
    ),
    case(
        "The account API is closed to this user",
        "The service decides who may list and end sessions. The account's pages on the web site show the same list.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(403));
            set.typed("auth sessions")
        },
    ),
    case(
        "No account API at this address",
        "The address is not that of a Keycloak realm, or the realm's account API is switched off.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(404));
            set.typed("auth sessions")
        },
    ),
    case(
        "A web page instead of the list of sessions",
        "Something between this machine and the service answers in its place, such as the login page of a guest \
         network. Open any page in a browser first.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(200));
            set.typed("auth sessions")
        },
    ),
    case("The session to end does not exist", "The session has already ended, or the id is incomplete.", |stage| {
        stage.logged_in().typed("auth sessions end 0a1b2c3d")
    }),
    case(
        "The session to end is the one in use",
        "`cdse auth logout` ends it at the service, and removes it here too.",
        |stage| {
            let set = stage.logged_in();
            let id = set.world.sandbox.sessions()[0].id.clone();
            let told = set.typed(&format!("auth sessions end {id}"));
            told.map(|told| Told { typed: told.typed.replace(&id, "0a1b2c3d"), ..told })
        },
    ),
    case(
        "The sessions to end may be in use",
        "An old session may belong to a job that still runs, unlike a session without a client, which cannot be used \
         any more.",
        |stage| stage.logged_in().typed("auth sessions prune --older-than 1d"),
    ),
    case(
        "The access token in the environment cannot be renewed",
        "A token that `cdse` did not obtain itself is used as it is.",
        |stage| stage.world().cdse("auth refresh").env("CDSE_ACCESS_TOKEN", "eyx").tell(),
    ),
    case("`--force-refresh` with an access token in the environment", "As above.", |stage| {
        stage.world().cdse("auth token --force-refresh").env("CDSE_ACCESS_TOKEN", "eyx").tell()
    }),
    case(
        "Nothing to log out",
        "The token in the environment takes precedence over the stored session, and belongs to no session that is \
         stored here.",
        |stage| stage.world().cdse("auth logout").env("CDSE_ACCESS_TOKEN", "eyx").tell(),
    ),
    case(
        "The token is valid for less time than requested",
        "The service issues no token that lives that long. The command prints the newest token that is available.",
        |stage| stage.logged_in().typed("auth token --min-validity 2h"),
    ),
];

const SERVICE: &[Case] = &[
    case(
        "The service cannot be reached",
        "Nothing answers at the address, or the network is down. Nothing was sent, and a stored session is unchanged: \
         try again later. If there is no valid token, `cdse` tries for a minute before it reports this.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions").env("CDSE_ACCESS_TOKEN", "eyx");
            call.env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/auth/realms/CDSE").tell()
        },
    ),
    case(
        "The proxy cannot be reached",
        "The proxy in `HTTPS_PROXY` or `ALL_PROXY` does not answer. Correct or unset the variable, or name the hosts \
         that need no proxy in `NO_PROXY`.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions").without("CDSE_IDENTITY_URL").env("CDSE_ACCESS_TOKEN", "eyx");
            call.env("HTTPS_PROXY", "http://127.0.0.1:1").tell()
        },
    ),
    case(
        "Invalid proxy address",
        "It has to look like `http://HOST:PORT`. A configured proxy is never bypassed.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions").without("CDSE_IDENTITY_URL").env("CDSE_ACCESS_TOKEN", "eyx");
            call.env("HTTPS_PROXY", "gopher://proxy.example").tell()
        },
    ),
    case(
        "The file of certificate authorities cannot be read",
        "`--ca-bundle` or `SSL_CERT_FILE` names a file that cannot be read. `cdse` does not trust other authorities \
         in its place.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions --ca-bundle /nowhere.pem").without("CDSE_IDENTITY_URL");
            call.env("CDSE_ACCESS_TOKEN", "eyx").env("HTTPS_PROXY", "http://127.0.0.1:1").tell()
        },
    ),
    case(
        "The service's certificate is not trusted",
        "A proxy of your organisation may replace the certificate by one of its own. Ask for the certificate of the \
         proxy's authority, and name its file.",
        |stage| {
            let rig = Rig::new();
            let proxy = rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass);
            let set = stage.world();
            let call = set.cdse("auth sessions").env("CDSE_IDENTITY_URL", format!("https://{NAME}/auth/realms/CDSE"));
            let call = call.env("CDSE_ACCESS_TOKEN", "eyx").env("HTTPS_PROXY", format!("http://{}", proxy.address));
            call.tell().map(|told| Told { typed: "cdse auth sessions".to_owned(), ..told })
        },
    ),
    case(
        "The service is unavailable",
        "The service answered 503 and did nothing. The session is kept, and all processes wait as long as the service \
         asks for; a token that is still valid is used in the meantime.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(700);
            fault(&set, Endpoint::Token, busy(503));
            set.typed("auth token")
        },
    ),
    case(
        "Too many requests",
        "The service answered 429: it received too many requests from this account or from this address. One login \
         that all processes share makes one request in ten minutes.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(700);
            fault(&set, Endpoint::Token, busy(429));
            set.typed("auth token")
        },
    ),
    case(
        "Internal error of the service",
        "It is not known whether the service did what was asked, so the refresh token is not sent again while the \
         access token is valid. Nothing needs to be done: `cdse auth token` continues to work.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(500);
            fault(&set, Endpoint::Token, busy(500));
            set.typed("auth refresh")
        },
    ),
    case(
        "The response to a login was lost",
        "The connection broke after the password was sent. `cdse` does not send it again by itself, because the \
         service may have opened a session, and a one-time code works once.",
        |stage| {
            let set = stage.world();
            fault(&set, Endpoint::Token, Action::Reset { processed: true });
            let code = code(&set);
            set.log_in(&format!("{MFA} --totp {code}"), PASSWORD)
                .tell()
                .map(|told| Told { typed: told.typed.replace(&code, "123456"), ..told })
        },
    ),
    case(
        "The response to a renewal was lost",
        "The refresh token may have been used up, so it is not sent again while the access token is valid. Nothing \
         needs to be done: `cdse auth token` continues to work.",
        |stage| {
            let set = stage.logged_in();
            set.world.sandbox.script(Fault::token(Action::Torn { processed: false, body_bytes: 20 }));
            set.typed("auth refresh")
        },
    ),
    case(
        "A renewal after a lost response",
        "Another request could end the session, and the current token is still valid: `cdse auth token` continues to \
         work.",
        |stage| {
            let set = stage.logged_in();
            set.world.sandbox.script(Fault::token(Action::Torn { processed: false, body_bytes: 20 }));
            set.cdse("auth refresh").run();
            set.typed("auth refresh")
        },
    ),
    case(
        "A logout did not reach the service",
        "The session is removed here in any case. At the service it counts as one of the account's sessions until it \
         ends; `cdse auth sessions` can end it from another login.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Logout, Action::page(503));
            set.typed("auth logout")
        },
    ),
    case(
        "A web page instead of a token",
        "Something between this machine and the service answers in its place: a proxy, the login page of a guest \
         network, or a server whose address is not that of an identity service.",
        |stage| {
            let set = stage.world();
            fault(&set, Endpoint::Token, Action::page(200));
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The service sent an invalid token",
        "The service's response is well-formed, but the token in it is not. `cdse` does not pass it on to any \
         program.",
        |stage| {
            let set = stage.world();
            let answer = serde_json::json!({"access_token": "a\nCANARY", "expires_in": 600});
            fault(&set, Endpoint::Token, Action::json(200, &answer));
            set.log_in(USER, PASSWORD).tell()
        },
    ),
];

const ADDRESS: &[Case] = &[
    case(
        "The realm does not exist",
        "`CDSE_IDENTITY_URL` is the address of a realm and ends with its name, such as \
         `https://identity.dataspace.copernicus.eu/auth/realms/CDSE`. Unset it to use the Copernicus Data Space \
         Ecosystem.",
        |stage| {
            let set = stage.world();
            let realm = set.world.sandbox.realm_url();
            let wrong = format!("{}/CDES", realm.rsplit_once('/').unwrap().0);
            let told = set.log_in(USER, PASSWORD).env("CDSE_IDENTITY_URL", wrong).tell();
            told.map(|told| Told { typed: told.typed.replace("realms/CDSE", "realms/CDES"), ..told })
        },
    ),
    case(
        "No identity service at this address",
        "A server answers, but there is no identity service at this path.",
        |stage| {
            let set = stage.world();
            fault(&set, Endpoint::Token, Action::page(404));
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The address is redirected",
        "`cdse` does not follow a redirect, because it could send the password to any host. Set `CDSE_IDENTITY_URL` \
         to the service's new address.",
        |stage| {
            let set = stage.world();
            let headers = vec![("location".to_owned(), "https://elsewhere.example/".to_owned())];
            fault(&set, Endpoint::Token, Action::Answer { status: 302, headers, body: Vec::new() });
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The address is not encrypted",
        "Over plain http, anyone on the network path could read the password. Only a service on this machine may use \
         http.",
        |stage| address(stage, "http://identity.example/realms/CDSE"),
    ),
    case("The address has no scheme", "A realm's address begins with `https://`.", |stage| {
        address(stage, "identity.example/realms/CDSE")
    }),
    case("The address has the wrong scheme", "As above.", |stage| address(stage, "ftp://identity.example/realms/CDSE")),
    case(
        "The address contains a password",
        "Messages would show it. Set the variables for credentials instead.",
        |stage| {
            let told = address(stage, "https://user:CANARY@identity.example/realms/CDSE");
            told.map(|told| Told { typed: told.typed.replace("CANARY", "…"), ..told })
        },
    ),
    case("The address contains a query", "Copy the realm's address, not that of a page.", |stage| {
        address(stage, "https://identity.example/realms/CDSE?theme=x")
    }),
];

fn address(stage: &Stage, address: &str) -> Option<Told> {
    stage.world().cdse("auth token").env("CDSE_IDENTITY_URL", address).tell()
}

const SESSION_FILES: &[Case] = &[
    case(
        "The session file is damaged",
        "Another program wrote the file, or the disk was full or failed. The file was set aside, so nothing is lost; \
         the next login creates a new one.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), "{").unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The session file is empty",
        "As above. A full disk can leave an empty file when another program copies it.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), "").unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "A login finds a damaged session file",
        "The login continues with a new file. The old one is kept, so that you can look at it.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), "{").unwrap();
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The session file is from a newer version",
        "A newer `cdse` on this machine wrote the file, and this version would lose what it does not know. Update \
         this version, or give it a state folder of its own.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), r#"{"schema": 99}"#).unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The session file belongs to another account",
        "The file was copied or renamed by hand. Remove it, and log in again.",
        |stage| {
            let set = stage.logged_in();
            let text = fs::read_to_string(set.world.session_file()).unwrap();
            fs::write(set.world.session_file(), text.replace(USER, "other@example.com")).unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The session file is a symbolic link",
        "`cdse` does not follow it, because another user could use a link to redirect your session to any place.",
        |stage| {
            let set = stage.logged_in();
            let file = set.world.session_file();
            fs::remove_file(&file).unwrap();
            symlink("/etc/passwd", file).unwrap();
            set.typed("auth token")
        },
    ),
    case("The session file is a folder", "`cdse` does not create a folder of that name.", |stage| {
        let set = stage.logged_in();
        let file = set.world.session_file();
        fs::remove_file(&file).unwrap();
        fs::create_dir(file).unwrap();
        set.typed("auth token")
    }),
    case(
        "The session file belongs to another user",
        "`sudo` or a container with another user created it, or the state folder is shared. Each user needs a state \
         folder of their own.",
        |stage| {
            let set = stage.logged_in();
            is_root().then(|| chown(set.world.session_file(), Some(65534), None).unwrap())?;
            set.typed("auth token")
        },
    ),
    case(
        "The session file cannot be read",
        "Its permissions were changed, so that even you cannot read it: `chmod 600` it.",
        |stage| {
            let set = stage.logged_in();
            fs::set_permissions(set.world.session_file(), fs::Permissions::from_mode(0o0)).unwrap();
            set.unprivileged("auth token").tell()
        },
    ),
    case(
        "Other users could read the session file",
        "The permissions were corrected at once. If other people use this machine, they may have copied the session: \
         log out and in again.",
        |stage| {
            let set = stage.logged_in();
            fs::set_permissions(set.world.session_file(), fs::Permissions::from_mode(0o644)).unwrap();
            set.typed("auth refresh")
        },
    ),
    case(
        "The state folder is read-only",
        "A token can be renewed only if its successor can be stored; a token that is still valid is used all the \
         same. Make the folder writable, or use another one.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(700);
            fs::remove_file(set.world.session_file().with_extension("json.lock")).unwrap();
            fs::set_permissions(set.world.state().join("sessions"), fs::Permissions::from_mode(0o500)).unwrap();
            set.unprivileged("auth token").tell()
        },
    ),
    case("The state folder is a file", "Move the file away, or name another folder.", |stage| {
        let set = stage.world();
        fs::write(set.world.state(), "").unwrap();
        set.cdse_as(USER, "auth token").tell()
    }),
    case(
        "A login with a state folder that cannot be created",
        "As above. `cdse` checks this before it sends the password.",
        |stage| {
            let set = stage.world();
            fs::write(set.world.state(), "").unwrap();
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "No home folder",
        "Some containers and services start programs without `HOME`, as a user who is not in the system's list of \
         users.",
        |stage| {
            let set = stage.world();
            let attempt = set.of_unknown_user("auth token")?.without("HOME").without("CDSE_STATE_DIR");
            attempt.tell().map(|told| Told { typed: format!("env -u HOME {}", told.typed), ..told })
        },
    ),
    case(
        "A path contains `~` or a variable",
        "`~` and `$HOME` are not expanded in a unit file, a cron table or the settings of a container.",
        |stage| stage.world().cdse("auth token").env("CDSE_STATE_DIR", "~/cdse").tell(),
    ),
    case(
        "The state folder is a relative path",
        "A relative path would name another state folder in each working folder.",
        |stage| stage.world().cdse("auth token").env("CDSE_STATE_DIR", "cdse").tell(),
    ),
    case(
        "The home folder belongs to another user",
        "`sudo` without `-H` may keep the `HOME` of the user who called it, and a container may be given another \
         user's `HOME`.",
        |stage| {
            let set = stage.world();
            let home = set.world.home.path().join("jane");
            fs::create_dir(&home).unwrap();
            chown(&home, Some(54_321), None).ok()?;
            set.log_in(USER, PASSWORD).env("HOME", &home).without("CDSE_STATE_DIR").tell()
        },
    ),
    case(
        "Another process holds the session's lock",
        "Another process is renewing this session, or was stopped while it did so. The message names the process: \
         check what it is doing.",
        |stage| {
            let set = stage.logged_in();
            let lock =
                fs::File::options().write(true).open(set.world.session_file().with_extension("json.lock")).unwrap();
            lock.lock().unwrap();
            set.typed("auth refresh")
        },
    ),
    case(
        "The state folder is on a network file system without working locks",
        "Two machines that renew one session at the same time would end it. `/proc/self/mountinfo` shows how the \
         folder is mounted.",
        |stage| {
            let set = stage.world();
            let mounts = set.world.home.path().join("mountinfo");
            fs::write(&mounts, "36 1 0:45 / / rw - nfs server:/home rw,vers=3,nolock,local_lock=all\n").unwrap();
            set.log_in(USER, PASSWORD).with_mounts(&mounts)?.tell()
        },
    ),
    case("The lock file is a folder", "`cdse` does not create a folder of that name: move it away.", |stage| {
        let set = stage.logged_in();
        let lock = set.world.session_file().with_extension("json.lock");
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        set.typed("auth refresh")
    }),
];

const PROFILES: &[Case] = &[
    case(
        "The profile is damaged",
        "A profile only says where its session is, so nothing else is lost: remove the file and log in under the same \
         name.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.profile(), "{").unwrap();
            set.typed("auth token")
        },
    ),
    case("The profile is from a newer version", "Update this program, or use another state folder.", |stage| {
        let set = stage.logged_in();
        fs::write(set.profile(), r#"{"schema": 99}"#).unwrap();
        set.typed("auth token")
    }),
    case("The profile is a symbolic link", "`cdse` does not follow it, as with session files.", |stage| {
        let set = stage.logged_in();
        fs::remove_file(set.profile()).unwrap();
        symlink("/etc/passwd", set.profile()).unwrap();
        set.typed("auth token")
    }),
    case(
        "The profile belongs to another user",
        "Each user needs a state folder of their own, as with session files.",
        |stage| {
            let set = stage.logged_in();
            is_root().then(|| chown(set.profile(), Some(65534), None).unwrap())?;
            set.typed("auth token")
        },
    ),
    case("The profile is a folder", "`cdse` does not create a folder of that name.", |stage| {
        let set = stage.logged_in();
        fs::remove_file(set.profile()).unwrap();
        fs::create_dir(set.profile()).unwrap();
        set.typed("auth token")
    }),
    case("The profile is too large", "Another program wrote the file.", |stage| {
        let set = stage.logged_in();
        fs::write(set.profile(), " ".repeat(100_000)).unwrap();
        set.typed("auth token")
    }),
    case("The profile contains an invalid address", "The file was changed by hand.", |stage| {
        let set = stage.logged_in();
        let text = fs::read_to_string(set.profile()).unwrap();
        let realm = set.world.sandbox.realm_url();
        fs::write(set.profile(), text.replace(&realm, "http://identity.example/realms/CDSE")).unwrap();
        set.cdse("auth token").without("CDSE_IDENTITY_URL").tell()
    }),
    case(
        "The file with the active profile is damaged",
        "The file only says which profile is used when a call names none. Choose one again.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.state().join("active.json"), "{").unwrap();
            set.typed("auth token")
        },
    ),
    case("The profile does not exist", "`cdse auth switch` selects one of the profiles that are logged in.", |stage| {
        stage.logged_in().typed("auth switch third")
    }),
    case(
        "The profile to switch to is given as an option",
        "`--profile` selects a profile for one call, `switch` for all later calls.",
        |stage| stage.logged_in().typed("auth switch default --profile second"),
    ),
];

const ENVIRONMENT: &[Case] = &[
    case(
        "User name without a password",
        "If only one of the two is set, `cdse` does not use other credentials instead, because a job could then run \
         under another account.",
        |stage| stage.world().cdse("auth token").env("CDSE_USERNAME", USER).tell(),
    ),
    case("Password without a user name", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_PASSWORD", PASSWORD).tell()
    }),
    case("Client id without a secret", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_CLIENT_ID", "sh-client").tell()
    }),
    case(
        "The user name or password in the environment is refused",
        "As with a login, the service does not say which one is wrong. `cdse` does not try them again by itself until \
         they are changed.",
        |stage| stage.world().cdse("auth token").env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", "wrong").tell(),
    ),
    case(
        "The client id or secret in the environment is refused",
        "The secret was copied incompletely, or the client was removed.",
        |stage| {
            let set = stage.world();
            set.cdse("auth token").env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET", "wrong").tell()
        },
    ),
    case("Two sources of one-time codes", "`cdse` does not choose between them.", |stage| {
        let set = stage.world();
        set.cdse_as(MFA, "auth token").env("CDSE_TOTP", "123456").env("CDSE_TOTP_SECRET", TOTP_SECRET).tell()
    }),
    case(
        "Invalid one-time code",
        "Codes have 6 to 8 digits; spaces do not matter. The secret that generates codes belongs in \
         `CDSE_TOTP_SECRET`.",
        |stage| stage.world().cdse_as(MFA, "auth token").env("CDSE_TOTP", "12345").tell(),
    ),
    case(
        "Invalid TOTP secret",
        "The secret is the text that the service shows beside the QR code, or the `otpauth://` address in that QR \
         code.",
        |stage| stage.world().cdse_as(MFA, "auth token").env("CDSE_TOTP_SECRET", "0189").tell(),
    ),
    case("Invalid access token", "The variable holds the token alone, without `Bearer` and without quotes.", |stage| {
        stage.world().cdse("auth token").env("CDSE_ACCESS_TOKEN", "Bearer CANARY").tell()
    }),
    case("Invalid refresh token", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_REFRESH_TOKEN", "CANARY ü").tell()
    }),
    case(
        "A variable is not valid UTF-8",
        "This happens if, for example, a script was saved in another encoding.",
        |stage| stage.world().cdse("auth token").env("CDSE_USERNAME", OsStr::from_bytes(b"u\xff")).tell(),
    ),
    case(
        "Line end in a user name",
        "The user name was read from a file together with its line end. In a shell, `$(cat FILE)` strips it.",
        |stage| stage.world().cdse_as("user@example.com\n", "auth token").tell(),
    ),
    case("Blank user name", "An empty variable counts as unset; one with only spaces is a mistake.", |stage| {
        stage.world().cdse_as("  ", "auth token").tell()
    }),
    case(
        "Invalid value of an on/off variable",
        "1, true, yes and on mean on; 0, false, no and off mean off.",
        |stage| stage.world().cdse("auth token").env("CDSE_NO_INPUT", "maybe").tell(),
    ),
    case(
        "Invalid profile name",
        "A profile's name is also the name of a file, so only these characters are allowed.",
        |stage| stage.world().cdse("auth token").env("CDSE_PROFILE", "../x").tell(),
    ),
    case(
        "`CDSE_COMPLETE` is set",
        "The script that `cdse completions` prints sets `CDSE_COMPLETE` for one call. Do not set it yourself.",
        |stage| stage.world().cdse("auth token").env("CDSE_COMPLETE", "tcsh").tell(),
    ),
];

const PROGRAMS: &[Case] = &[
    case(
        "Program not found",
        "Programs run without a shell: aliases, pipes and `~` do not work. For a pipe, use `sh -c '…'`.",
        |stage| program(stage, "vaultt read"),
    ),
    case(
        "The program failed",
        "Its output on stdout is not shown, because it could be a secret. Run the program by hand.",
        |stage| program(stage, "false"),
    ),
    case("The program printed nothing", "Run the program by hand to see why.", |stage| program(stage, "true")),
    case(
        "The program prints too much",
        "A secret must be shorter than 64 KiB. `cdse` has stopped the program.",
        |stage| program(stage, "yes"),
    ),
    case("Missing closing quotation mark", "`cdse` splits the text into words as a shell does.", |stage| {
        program(stage, "\"'vault read\"")
    }),
    case("No program is named", "The option or variable contains only spaces.", |stage| program(stage, "\"  \"")),
    case("The program printed no one-time code", "The program must print 6 to 8 digits and nothing else.", |stage| {
        stage.world().cdse_as(MFA, "auth token").env("CDSE_TOTP_COMMAND", "echo hello").tell()
    }),
];

/// A login with a program for the password; it runs with the `PATH` of this test.
fn program(stage: &Stage, program: &str) -> Option<Told> {
    let quoted = if program.starts_with('"') { program.to_owned() } else { format!("'{program}'") };
    let set = stage.world();
    let told = set.cdse(&format!("auth login --username {USER} --password-command {quoted}"));
    let told = told.env("PATH", std::env::var_os("PATH").unwrap()).tell();
    told.map(|told| Told { typed: told.typed[told.typed.find("cdse auth").unwrap()..].to_owned(), ..told })
}

const NETRC: &[Case] = &[
    case("No netrc file", "`--netrc` reads the file that `NETRC` names, or else `~/.netrc`.", |stage| {
        stage.typed("auth token --netrc")
    }),
    case(
        "Invalid netrc file",
        "A netrc file consists of pairs of words: `machine NAME login USER password PASSWORD`. The message does not \
         show its words, because one could be a password.",
        |stage| netrc(stage, "CANARY\n", 0o600),
    ),
    case("The netrc file has no entry for the service", "Add an entry for any one of these names.", |stage| {
        netrc(stage, "machine other.example login a password CANARY\n", 0o600)
    }),
    case("The netrc file has no user name", "The entry has a `password` but no `login`.", |stage| {
        netrc(stage, "machine 127.0.0.1 password CANARY\n", 0o600)
    }),
    case("The netrc file has no password", "The entry has a `login` but no `password`.", |stage| {
        netrc(stage, "machine 127.0.0.1 login user@example.com\n", 0o600)
    }),
    case(
        "The user name or password in the netrc file is refused",
        "As with a login, the service does not say which one is wrong.",
        |stage| netrc(stage, "machine 127.0.0.1 login user@example.com password wrong\n", 0o600),
    ),
    case(
        "Other users can read the netrc file",
        "The login worked. All users of this machine can read the passwords in the file until you change its \
         permissions.",
        |stage| netrc(stage, &format!("machine 127.0.0.1 login {USER} password {PASSWORD}\n"), 0o644),
    ),
];

fn netrc(stage: &Stage, text: &str, mode: u32) -> Option<Told> {
    let set = stage.world();
    let file = set.world.home.path().join(".netrc");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    set.typed("auth token --netrc")
}

const ARGUMENTS: &[Case] = &[
    case("Command without its group", "`cdse --help` lists the groups.", |stage| stage.typed("login")),
    case("Unknown command", "`cdse auth --help` lists the commands of this group.", |stage| stage.typed("auth tokn")),
    case("Unknown option", "`--help` after the command lists its options.", |stage| {
        stage.typed("auth token --min-valdity 5m")
    }),
    case(
        "Password as an argument",
        "Every user of the machine can see the arguments of every program, and the shell's history keeps them. If you \
         passed a real password, change it.",
        |stage| stage.typed("auth login --password …"),
    ),
    case("Unexpected argument", "The message does not repeat the argument, because it could be a secret.", |stage| {
        stage.typed("auth token something")
    }),
    case("Option without a value", "Pass the value after the option, as in `--profile NAME`.", |stage| {
        stage.typed("auth token --profile")
    }),
    case("Missing argument", "`--help` after the command lists its arguments.", |stage| stage.typed("auth switch")),
    case("Option given twice", "Pass the option once.", |stage| {
        stage.typed("auth token --min-validity 5m --min-validity 9m")
    }),
    case("Conflicting options", "Use only one of the two.", |stage| {
        stage.typed("auth login --password-stdin --refresh-token-stdin")
    }),
    case("Invalid value of an option", "Use one of the values that the message lists.", |stage| {
        stage.typed("auth token --format xml")
    }),
    case("Invalid duration", "A duration is written like `90s`, `5m` or `1h30m`.", |stage| {
        stage.typed("auth token --min-validity 1h30")
    }),
    case("Unknown help topic", "Use one of the topics that the hint lists.", |stage| stage.typed("help everything")),
];

const RUNNING: &[Case] = &[
    case("The program is not found", "Check its name and PATH.", |stage| {
        stage.logged_in().typed("exec -- gdalinfoo scene.tif")
    }),
    case("The program cannot be run", "It is not executable, or is made for another system.", |stage| {
        stage.logged_in().typed("exec -- /etc/passwd")
    }),
    case(
        "The address of a data service is not encrypted",
        "A token would go over the network in clear text. Use an https address; http works to this machine only.",
        |stage| stage.logged_in().cdse("exec -- true").env("CDSE_DOWNLOAD_URL", "http://download.example").tell(),
    ),
    case(
        "An unknown session in CDSE_SESSION",
        "`cdse exec` sets the variable for what it runs. Unset it elsewhere, or log in again.",
        |stage| stage.world().cdse("auth token").env("CDSE_SESSION", "../x").tell(),
    ),
];

const OUTPUT: &[Case] = &[
    case(
        "The header file would replace another file",
        "`cdse` replaces only a file that begins as a header file does. Name another file.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.home.path().join("notes.txt"), "years of work\n").unwrap();
            header_file(&set, "notes.txt")
        },
    ),
    case("The header file is a folder", "Name a file in the folder.", |stage| header_file(&stage.logged_in(), "")),
    case(
        "The header file's folder cannot be created",
        "`cdse` creates the folder, unless a file has its name.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.home.path().join("notes.txt"), "years of work\n").unwrap();
            header_file(&set, "notes.txt/header")
        },
    ),
    case(
        "The output cannot be written",
        "The disk that the output is redirected to is full, or the file system failed.",
        |stage| stage.logged_in().cdse("auth token").stdout("/dev/full").tell(),
    ),
    case(
        "The manual cannot be written",
        "A file has the name of the folder, or the folder belongs to another user.",
        |stage| {
            let set = stage.world();
            fs::write(set.world.home.path().join("man"), "").unwrap();
            let folder = set.world.home.path().join("man");
            set.typed(&format!("man {}", folder.display()))
        },
    ),
];

fn header_file(set: &Set, name: &str) -> Option<Told> {
    let path = set.world.home.path().join(name);
    set.typed(&format!("auth header-file {}", path.display()))
}

const SANDBOX: &[Case] = &[
    case(
        "The port is in use",
        "Another program listens on this port, perhaps another `cdse sandbox serve`.",
        |stage| {
            let set = stage.world();
            let port = set.world.sandbox.address().port();
            let told = set.typed(&format!("sandbox serve --port {port}"));
            let plain = |text: &str| text.replace(&port.to_string(), "8080");
            told.map(|told| Told { typed: plain(&told.typed), stderr: plain(&told.stderr), ..told })
        },
    ),
    case(
        "Command not found",
        "The exit codes 126 and 127 have the same meaning as with `env` and in shells.",
        |stage| stage.typed("sandbox run -- no-such-program"),
    ),
    case("The command cannot be run", "The file is not a program, or it is not executable (`chmod +x`).", |stage| {
        stage.typed("sandbox run -- /etc/passwd")
    }),
];
