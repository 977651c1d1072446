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
        "Nobody is logged in",
        "No session is stored under the profile in use, and the environment holds no credentials. Log in once; every program of \
         yours on this machine can use the session then. `cdse auth list` shows who is logged in here.",
        |stage| stage.typed("auth token"),
    ),
    case(
        "Nobody is logged in under this name",
        "`--profile`, `CDSE_PROFILE` or `cdse auth switch` names a profile that nobody has logged in under. Log in under it, or \
         name another one: `cdse auth list` shows them.",
        |stage| stage.typed("auth token --profile second"),
    ),
    case(
        "The user name or the password is wrong",
        "The service gives the same answer for a wrong user name, a wrong password, a missing or wrong one-time code, and for an \
         account that it has locked after wrong tries. Check the password by signing in on the web site, and do not try a third \
         time within the same minute.",
        |stage| stage.world().log_in(USER, "wrong").tell(),
    ),
    case(
        "The one-time code is missing",
        "An account with a second factor needs its code with every login, and the service does not say that it is the code that \
         is missing. Each try without it counts as a failed one.",
        |stage| stage.world().log_in(MFA, PASSWORD).tell(),
    ),
    case(
        "The one-time code is wrong",
        "A code is valid for half a minute and works once. Wait for the next one; if it fails again, compare the clocks: \
         `cdse auth doctor` tells how far this machine's is off.",
        |stage| stage.world().log_in(&format!("{MFA} --totp 000000"), PASSWORD).tell(),
    ),
    case(
        "The account is locked after wrong tries",
        "The right password is refused, too, while the account is locked, and nothing in the answer says so. Since a login worked \
         a while ago, this is the likely cause: wait a minute before the next try.",
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
        "The service has closed the account, or the user has not confirmed it. Only its owner can change that, on the web site.",
        |stage| stage.world().log_in("disabled@example.com", PASSWORD).tell(),
    ),
    case(
        "The service wants something from the user first",
        "New terms, an e-mail address to confirm, a password to change: such a step can be done in a browser only. Sign in on the \
         web site once, then here.",
        |stage| stage.world().log_in("action@example.com", PASSWORD).tell(),
    ),
    case(
        "The account has too many sessions open",
        "An account may hold 100 sessions at the Copernicus Data Space Ecosystem, and each keeps its place until it ends, for an \
         hour after its last use. Jobs that log in by themselves and never log out fill it up; with a session at hand, \
         `cdse auth sessions` shows and ends them.",
        |stage| {
            let set = stage.with(|config| config.session_limit = Some(1));
            set.log_in(USER, PASSWORD).run().ok();
            set.log_in(USER, PASSWORD).env("CDSE_STATE_DIR", "/tmp/cdse-that-is-not-made").tell()
        },
    ),
    case(
        "There is nobody to ask for the user name",
        "Without a terminal, with `--no-input` or with `CDSE_NO_INPUT=1` nothing is asked, so everything has to be given.",
        |stage| stage.typed("auth login --no-input"),
    ),
    case(
        "There is nobody to ask for the password",
        "As above. A password is no argument, for every user of the machine can see those: give it on standard input, by a \
         program, or in the environment.",
        |stage| stage.typed("auth login --username user@example.com"),
    ),
    case(
        "There is nobody to ask for the one-time code",
        "It is remembered that this account uses codes, so the try without one, which would count as failed, is not made.",
        |stage| {
            let set = stage.world();
            set.log_in(&format!("{MFA} --totp {}", code(&set)), PASSWORD).run().ok();
            set.cdse("auth logout").run().ok();
            set.log_in(MFA, PASSWORD).tell()
        },
    ),
    case("A client's secret without the client's id", "The secret alone does not say whose it is.", |stage| {
        stage.world().cdse("auth login --client-secret-stdin").stdin("sh-secret").tell()
    }),
    case(
        "The client may not log users in",
        "`--client-id` names a client that exists and is not meant for this. Leave the option out unless somebody told you to use it.",
        |stage| stage.world().log_in(&format!("{USER} --client-id no-grants"), PASSWORD).tell(),
    ),
    case(
        "Standard input is empty",
        "The command before the pipe printed nothing, perhaps because it failed, or the file is empty.",
        |stage| stage.world().log_in(USER, "").tell(),
    ),
    case(
        "Standard input is no text",
        "Something else than the password came through the pipe, or it is stored in another encoding than UTF-8.",
        |stage| stage.world().log_in(USER, "\u{0}").stdin(b"p\xff").tell(),
    ),
    case("Standard input is far too long", "The wrong file was given: a password has less than 64 KiB.", |stage| {
        stage.world().log_in(USER, "x".repeat(100_000).as_str()).tell()
    }),
];

const ENDED: &[Case] = &[
    case(
        "The session was ended at the service",
        "Somebody has logged out this session elsewhere (in the account's pages, with `cdse auth sessions end`), or the service was \
         restarted. Log in again.",
        |stage| {
            let set = stage.logged_in();
            set.world.sandbox.end_session(&set.world.sandbox.sessions()[0].id);
            set.world.age(700);
            set.typed("auth token")
        },
    ),
    case(
        "The session was not used for too long",
        "A session ends when it was not renewed for about an hour, and after some hours in any case. For a job that runs longer, \
         put the credentials into its environment: it logs in again by itself (`cdse help credentials`).",
        |stage| {
            let set = stage.logged_in();
            set.world.age(4000);
            set.world.sandbox.advance(std::time::Duration::from_secs(4000));
            set.typed("auth token")
        },
    ),
    case(
        "Two machines used a copy of the same session",
        "Where refresh tokens work once, using one again looks like theft, and the service ends the session for everybody. A state \
         folder belongs to one machine: log in on each, or give the other one `CDSE_ACCESS_TOKEN`.",
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
        "It was used elsewhere, has ended, or belongs to another service or client. A refresh token is worth as much as the \
         session that it came from.",
        |stage| stage.world().cdse("auth token").env("CDSE_REFRESH_TOKEN", "eyCANARY").tell(),
    ),
    case(
        "The refresh token in the environment was logged out",
        "After `cdse auth logout` its session is over, and the same token opens no new one.",
        |stage| {
            let set = stage.logged_in();
            let token = set.world.stored_refresh_token();
            set.cdse("auth token").env("CDSE_REFRESH_TOKEN", &token).run().ok();
            set.cdse("auth logout").env("CDSE_REFRESH_TOKEN", &token).run().ok();
            set.cdse("auth token").env("CDSE_REFRESH_TOKEN", &token).tell()
        },
    ),
    case(
        "The access token in the environment has ended",
        "An access token lives about ten minutes, and nobody can renew one that came from outside.",
        |stage| {
            let claims = data_encoding::BASE64URL_NOPAD.encode(br#"{"iat":1000,"exp":1600}"#);
            stage.world().cdse("auth token").env("CDSE_ACCESS_TOKEN", format!("eyJ.{claims}.x")).tell()
        },
    ),
    case(
        "The one-time code in the environment was used",
        "`CDSE_TOTP` is good for one login. A job that has to log in again needs `CDSE_TOTP_SECRET` or `CDSE_TOTP_COMMAND`.",
        |stage| {
            let set = stage.world();
            let code = code(&set);
            set.cdse_as(MFA, "auth token").env("CDSE_TOTP", &code).run().ok();
            set.cdse_as(MFA, "auth logout").run().ok();
            set.cdse_as(MFA, "auth token").env("CDSE_TOTP", &code).tell()
        },
    ),
    case(
        "A client's login has ended",
        "The secret of a client is not stored, so the token that was got with it cannot be renewed after its half hour. For more \
         than that set `CDSE_CLIENT_ID` and `CDSE_CLIENT_SECRET`.",
        |stage| {
            let set = stage.world();
            set.cdse("auth login --client-id sh-client --client-secret-stdin").stdin("sh-secret").run().ok();
            set.world.age(2000);
            set.typed("auth token")
        },
    ),
    case(
        "The profile belongs to another service",
        "`CDSE_IDENTITY_URL` is set and is not where this profile was logged in. Each profile remembers its own service, so the \
         variable is needed for a login only.",
        |stage| stage.logged_in().cdse("auth token").env("CDSE_IDENTITY_URL", "https://id.example/realms/other").tell(),
    ),
];

const ACCOUNT: &[Case] = &[
    case(
        "A client's token for a user's service",
        "Downloads, S3 keys and the account's sessions are for users; the token of an OAuth client is refused there with \
         `DAT-ZIP-609`. It is said before anything is sent.",
        |stage| {
            let call = stage.world();
            let call = call.cdse("auth token --for download").env("CDSE_CLIENT_ID", "sh-client");
            call.env("CDSE_CLIENT_SECRET", "sh-secret").tell()
        },
    ),
    case(
        "A secret with an invisible character",
        "Kubernetes secrets and `docker --env-file` often carry a line end along, and a text that was pasted may hold characters \
         that nobody sees. Nothing was sent. A secret in a file (`CDSE_PASSWORD_FILE`) may end with one line end.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth token").env("CDSE_USERNAME", USER);
            call.env("CDSE_PASSWORD", "secret\n").tell()
        },
    ),
    case(
        "A secret that is given twice",
        "A secret is taken from its variable, or from the file that `…_FILE` names, and neither wins over the other.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth token").env("CDSE_USERNAME", USER);
            call.env("CDSE_PASSWORD", "secret").env("CDSE_PASSWORD_FILE", "/run/secrets/cdse").tell()
        },
    ),
    case("Sessions of a client", "Only users have a list of sessions.", |stage| {
        let set = stage.world();
        let call = set.cdse("auth sessions").env("CDSE_CLIENT_ID", "sh-client");
        call.env("CDSE_CLIENT_SECRET", "sh-secret").tell()
    }),
    case(
        "The account API refuses the token",
        "The token is valid, for it was renewed a moment ago, and still the list of sessions is not for it. The account's pages on \
         the web site show the same list.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(401));
            set.typed("auth sessions")
        },
    ),
    case(
        "The account API is closed to this user",
        "Who may see and end sessions is the service's choice. The account's pages on the web site show the same list.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(403));
            set.typed("auth sessions")
        },
    ),
    case(
        "There is no account API",
        "The address is not that of a Keycloak realm, or its account API is switched off.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(404));
            set.typed("auth sessions")
        },
    ),
    case(
        "A page in place of the list of sessions",
        "Something between here and the service answers in its place, as the login page of a guest network does. Open any page \
         in a browser first.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Account, Action::page(200));
            set.typed("auth sessions")
        },
    ),
    case("A session that is not there is to be ended", "It has ended already, or the id is not complete.", |stage| {
        stage.logged_in().typed("auth sessions end 0a1b2c3d")
    }),
    case(
        "The session in use is to be ended",
        "`cdse auth logout` ends it at the service, and removes it here, too.",
        |stage| {
            let set = stage.logged_in();
            let id = set.world.sandbox.sessions()[0].id.clone();
            let told = set.typed(&format!("auth sessions end {id}"));
            told.map(|told| Told { typed: told.typed.replace(&id, "0a1b2c3d"), ..told })
        },
    ),
    case(
        "Sessions that may be in use are to be ended",
        "Unlike those without a client, which nobody can use, an old session may belong to a job that still runs.",
        |stage| stage.logged_in().typed("auth sessions prune --older-than 1d"),
    ),
    case("There is nothing to renew", "A token from outside is used as it is.", |stage| {
        stage.world().cdse("auth refresh").env("CDSE_ACCESS_TOKEN", "eyx").tell()
    }),
    case("A renewed token is asked for and there is none", "As above.", |stage| {
        stage.world().cdse("auth token --force-refresh").env("CDSE_ACCESS_TOKEN", "eyx").tell()
    }),
    case(
        "There is nothing to log out",
        "The token in the environment wins over the stored session, and belongs to nobody here.",
        |stage| stage.world().cdse("auth logout").env("CDSE_ACCESS_TOKEN", "eyx").tell(),
    ),
    case(
        "A token that is valid for long is asked for",
        "No token lives that long. It is the newest that can be had, and it is printed all the same.",
        |stage| stage.logged_in().typed("auth token --min-validity 2h"),
    ),
];

const SERVICE: &[Case] = &[
    case(
        "The service is not reached",
        "Nothing answers at the address, or the network is down. Nothing was sent, and a stored session is as good as before: try \
         again later. Where no token is left, it is tried for a minute before this is said.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions").env("CDSE_ACCESS_TOKEN", "eyx");
            call.env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/auth/realms/CDSE").tell()
        },
    ),
    case(
        "The proxy is not reached",
        "The proxy in `HTTPS_PROXY` or `ALL_PROXY` does not answer. Correct or unset it, or name hosts that need no proxy in `NO_PROXY`.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions").without("CDSE_IDENTITY_URL").env("CDSE_ACCESS_TOKEN", "eyx");
            call.env("HTTPS_PROXY", "http://127.0.0.1:1").tell()
        },
    ),
    case(
        "The proxy's address cannot be used",
        "It has to look like `http://HOST:PORT`. A proxy that is named is never passed by.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions").without("CDSE_IDENTITY_URL").env("CDSE_ACCESS_TOKEN", "eyx");
            call.env("HTTPS_PROXY", "gopher://proxy.example").tell()
        },
    ),
    case(
        "The file of authorities is not there",
        "The file that `--ca-bundle` or `SSL_CERT_FILE` names cannot be read, and nothing is trusted in its place.",
        |stage| {
            let set = stage.world();
            let call = set.cdse("auth sessions --ca-bundle /nowhere.pem").without("CDSE_IDENTITY_URL");
            call.env("CDSE_ACCESS_TOKEN", "eyx").env("HTTPS_PROXY", "http://127.0.0.1:1").tell()
        },
    ),
    case(
        "The service's certificate is not trusted",
        "A proxy of your company may replace it by one of its own: ask for that authority's certificate, and name the file.",
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
        "The service is out of order",
        "503 is the service's own word for it, and nothing was done. The session is kept, and all processes wait as long as the \
         service asks for; a token that is still valid is served meanwhile.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(700);
            fault(&set, Endpoint::Token, busy(503));
            set.typed("auth token")
        },
    ),
    case(
        "The service asks for fewer requests",
        "429: too many requests came from here, from this account or from this address. One login that all processes share makes \
         one request in ten minutes.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(700);
            fault(&set, Endpoint::Token, busy(429));
            set.typed("auth token")
        },
    ),
    case(
        "The service failed",
        "An error inside the service. Whether it did what was asked is not known, so the refresh token is not sent again while \
         the access token is valid. Nothing has to be done: `cdse auth token` goes on working.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(500);
            fault(&set, Endpoint::Token, busy(500));
            set.typed("auth refresh")
        },
    ),
    case(
        "The answer to a login was lost",
        "The connection broke after the password was sent. It is not sent again by itself, for the service may have opened a \
         session, and a one-time code works once.",
        |stage| {
            let set = stage.world();
            fault(&set, Endpoint::Token, Action::Reset { processed: true });
            set.log_in(&format!("{MFA} --totp {}", code(&set)), PASSWORD)
                .tell()
                .map(|told| Told { typed: told.typed.replace(&code(&set), "123456"), ..told })
        },
    ),
    case(
        "The answer to a renewal was lost",
        "The refresh token may be spent, so it is not sent again while the access token is valid. Nothing has to be done: \
         `cdse auth token` goes on working.",
        |stage| {
            let set = stage.logged_in();
            set.world.sandbox.script(Fault::token(Action::Torn { processed: false, body_bytes: 20 }));
            set.typed("auth refresh")
        },
    ),
    case(
        "A renewal is asked for after one was lost",
        "As above: asking again could end the session, and the token that is there is valid.",
        |stage| {
            let set = stage.logged_in();
            set.world.sandbox.script(Fault::token(Action::Torn { processed: false, body_bytes: 20 }));
            set.cdse("auth refresh").run();
            set.typed("auth refresh")
        },
    ),
    case(
        "A logout did not reach the service",
        "The session is removed here in any case. At the service it keeps its place among the account's sessions until it ends; \
         `cdse auth sessions` ends it from another login.",
        |stage| {
            let set = stage.logged_in();
            fault(&set, Endpoint::Logout, Action::page(503));
            set.typed("auth logout")
        },
    ),
    case(
        "A page in place of a token",
        "Something between here and the service answers in its place: a proxy, the login page of a guest network, or a server \
         whose address is not that of an identity service.",
        |stage| {
            let set = stage.world();
            fault(&set, Endpoint::Token, Action::page(200));
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "A token that cannot be used",
        "The service's answer looks right and its token is none. It is refused before any program gets it.",
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
        "`CDSE_IDENTITY_URL` is the address of a realm, with its name at the end, as \
         `https://identity.dataspace.copernicus.eu/auth/realms/CDSE`. Unset it to use the Copernicus Data Space Ecosystem.",
        |stage| {
            let set = stage.world();
            let realm = set.world.sandbox.realm_url();
            let wrong = format!("{}/CDES", realm.rsplit_once('/').unwrap().0);
            let told = set.log_in(USER, PASSWORD).env("CDSE_IDENTITY_URL", wrong).tell();
            told.map(|told| Told { typed: told.typed.replace("realms/CDSE", "realms/CDES"), ..told })
        },
    ),
    case(
        "The address answers with something else",
        "There is a server, and no identity service at this path.",
        |stage| {
            let set = stage.world();
            fault(&set, Endpoint::Token, Action::page(404));
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The address leads somewhere else",
        "A redirect is not followed, for it could lead a password anywhere. Set `CDSE_IDENTITY_URL` to where the service is now.",
        |stage| {
            let set = stage.world();
            let headers = vec![("location".to_owned(), "https://elsewhere.example/".to_owned())];
            fault(&set, Endpoint::Token, Action::Answer { status: 302, headers, body: Vec::new() });
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The address is not encrypted",
        "Over plain http everybody on the way could read the password. Only a service on this machine itself may be used like that.",
        |stage| address(stage, "http://identity.example/realms/CDSE"),
    ),
    case("The address is none", "A realm's address begins with `https://`.", |stage| {
        address(stage, "identity.example/realms/CDSE")
    }),
    case("The address has another scheme", "As above.", |stage| address(stage, "ftp://identity.example/realms/CDSE")),
    case(
        "The address holds a password",
        "It would be shown in messages. Give credentials as the variables for them.",
        |stage| {
            let told = address(stage, "https://user:CANARY@identity.example/realms/CDSE");
            told.map(|told| Told { typed: told.typed.replace("CANARY", "…"), ..told })
        },
    ),
    case("The address holds a query", "Copy the realm's address, not that of a page.", |stage| {
        address(stage, "https://identity.example/realms/CDSE?theme=x")
    }),
];

fn address(stage: &Stage, address: &str) -> Option<Told> {
    stage.world().cdse("auth token").env("CDSE_IDENTITY_URL", address).tell()
}

const SESSION_FILES: &[Case] = &[
    case(
        "The session file is damaged",
        "Something else wrote it, or the disk was full or failed. It was moved aside, so nothing is lost; the next login makes a \
         new one.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), "{").unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The session file is empty",
        "As above; an empty file is what a full disk leaves when other programs copy files.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), "").unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "A login finds a damaged session file",
        "The login goes on with a new file; the old one is kept for you to look at.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), "{").unwrap();
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "The session file is of a newer version",
        "A newer `cdse` on this machine has written it, and this one would lose what it does not know. Update this one, or give it \
         a state folder of its own.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.session_file(), r#"{"schema": 99}"#).unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The session file is another account's",
        "A file was copied or renamed by hand. Remove it, and log in again.",
        |stage| {
            let set = stage.logged_in();
            let text = fs::read_to_string(set.world.session_file()).unwrap();
            fs::write(set.world.session_file(), text.replace(USER, "other@example.com")).unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "The session file is a symbolic link",
        "Whoever can put a link there could lead your session anywhere, so it is not followed.",
        |stage| {
            let set = stage.logged_in();
            let file = set.world.session_file();
            fs::remove_file(&file).unwrap();
            symlink("/etc/passwd", file).unwrap();
            set.typed("auth token")
        },
    ),
    case("A folder is in the session file's place", "Nothing here makes a folder of that name.", |stage| {
        let set = stage.logged_in();
        let file = set.world.session_file();
        fs::remove_file(&file).unwrap();
        fs::create_dir(file).unwrap();
        set.typed("auth token")
    }),
    case(
        "The session file is somebody else's",
        "`sudo` or a container with another user has made it, or the state folder is shared. Each user needs one of their own.",
        |stage| {
            let set = stage.logged_in();
            is_root().then(|| chown(set.world.session_file(), Some(65534), None).unwrap())?;
            set.typed("auth token")
        },
    ),
    case(
        "The session file cannot be read",
        "Its permissions have been changed so that not even you may read it: `chmod 600` it.",
        |stage| {
            let set = stage.logged_in();
            fs::set_permissions(set.world.session_file(), fs::Permissions::from_mode(0o0)).unwrap();
            set.unprivileged("auth token").tell()
        },
    ),
    case(
        "Others could read the session file",
        "It was closed to them at once. If there are others on this machine, they may have the session: log out and in again.",
        |stage| {
            let set = stage.logged_in();
            fs::set_permissions(set.world.session_file(), fs::Permissions::from_mode(0o644)).unwrap();
            set.typed("auth refresh")
        },
    ),
    case(
        "The state folder is read-only",
        "A token can be renewed only where its successor can be stored; one that is still valid is served all the same. Make the \
         folder writable, or use another one.",
        |stage| {
            let set = stage.logged_in();
            set.world.age(700);
            fs::remove_file(set.world.session_file().with_extension("json.lock")).unwrap();
            fs::set_permissions(set.world.state().join("sessions"), fs::Permissions::from_mode(0o500)).unwrap();
            set.unprivileged("auth token").tell()
        },
    ),
    case("A file is in the state folder's place", "Move it away, or name another folder.", |stage| {
        let set = stage.world();
        fs::write(set.world.state(), "").unwrap();
        set.cdse_as(USER, "auth token").tell()
    }),
    case(
        "A login into a folder that cannot be made",
        "As above. It is found out before the password is sent.",
        |stage| {
            let set = stage.world();
            fs::write(set.world.state(), "").unwrap();
            set.log_in(USER, PASSWORD).tell()
        },
    ),
    case(
        "There is no home folder",
        "Some containers and services start programs without `HOME`, as a user whom the system's list of users does not know.",
        |stage| {
            let set = stage.world();
            let attempt = set.of_unknown_user("auth token")?.without("HOME").without("CDSE_STATE_DIR");
            attempt.tell().map(|told| Told { typed: format!("env -u HOME {}", told.typed), ..told })
        },
    ),
    case(
        "A path that no shell has expanded",
        "In a unit file, a cron table or the settings of a container `~` and `$HOME` stand for themselves.",
        |stage| stage.world().cdse("auth token").env("CDSE_STATE_DIR", "~/cdse").tell(),
    ),
    case("A state folder that is another one in each folder", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_STATE_DIR", "cdse").tell()
    }),
    case(
        "The home folder is somebody else's",
        "`sudo` without `-H` may keep the `HOME` of whoever called it, and so does a container that is given one.",
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
        "Another process renews this session just now, or was stopped while it did. The process is named: see what it does.",
        |stage| {
            let set = stage.logged_in();
            let lock =
                fs::File::options().write(true).open(set.world.session_file().with_extension("json.lock")).unwrap();
            lock.lock().unwrap();
            set.typed("auth refresh")
        },
    ),
    case(
        "The state folder is on a network file system whose locks keep nobody out",
        "Two machines that renew one session at the same time would end it. What is mounted is seen in `/proc/self/mountinfo`.",
        |stage| {
            let set = stage.world();
            let mounts = set.world.home.path().join("mountinfo");
            fs::write(&mounts, "36 1 0:45 / / rw - nfs server:/home rw,vers=3,nolock,local_lock=all\n").unwrap();
            set.log_in(USER, PASSWORD).with_mounts(&mounts)?.tell()
        },
    ),
    case("A folder is in the lock file's place", "Nothing here makes a folder of that name: move it away.", |stage| {
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
        "A profile only says where its session is, so nothing is lost with it: remove the file and log in under the same name.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.profile(), "{").unwrap();
            set.typed("auth token")
        },
    ),
    case("The profile is of a newer version", "Update this program, or use another state folder.", |stage| {
        let set = stage.logged_in();
        fs::write(set.profile(), r#"{"schema": 99}"#).unwrap();
        set.typed("auth token")
    }),
    case("The profile is a symbolic link", "It is not followed, as with session files.", |stage| {
        let set = stage.logged_in();
        fs::remove_file(set.profile()).unwrap();
        symlink("/etc/passwd", set.profile()).unwrap();
        set.typed("auth token")
    }),
    case(
        "The profile is somebody else's",
        "As with session files, each user needs a state folder of their own.",
        |stage| {
            let set = stage.logged_in();
            is_root().then(|| chown(set.profile(), Some(65534), None).unwrap())?;
            set.typed("auth token")
        },
    ),
    case("A folder is in the profile's place", "Nothing here makes a folder of that name.", |stage| {
        let set = stage.logged_in();
        fs::remove_file(set.profile()).unwrap();
        fs::create_dir(set.profile()).unwrap();
        set.typed("auth token")
    }),
    case("The profile is far too large", "Something else has written it.", |stage| {
        let set = stage.logged_in();
        fs::write(set.profile(), " ".repeat(100_000)).unwrap();
        set.typed("auth token")
    }),
    case("The profile names an address that cannot be used", "It was changed by hand.", |stage| {
        let set = stage.logged_in();
        let text = fs::read_to_string(set.profile()).unwrap();
        let realm = set.world.sandbox.realm_url();
        fs::write(set.profile(), text.replace(&realm, "http://identity.example/realms/CDSE")).unwrap();
        set.cdse("auth token").without("CDSE_IDENTITY_URL").tell()
    }),
    case(
        "The choice of a profile is damaged",
        "The file only says which profile is used when nobody names one: choose again.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.state().join("active.json"), "{").unwrap();
            set.typed("auth token")
        },
    ),
    case(
        "There is no such profile",
        "`cdse auth switch` chooses among those that somebody has logged in under.",
        |stage| stage.logged_in().typed("auth switch third"),
    ),
    case(
        "The profile to switch to is given as an option",
        "`--profile` chooses for one call, and `switch` for all calls from now on.",
        |stage| stage.logged_in().typed("auth switch default --profile second"),
    ),
];

const ENVIRONMENT: &[Case] = &[
    case(
        "A user without a password",
        "Half a pair is an error rather than a reason to use something else, for a job would run under another account.",
        |stage| stage.world().cdse("auth token").env("CDSE_USERNAME", USER).tell(),
    ),
    case("A password without a user", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_PASSWORD", PASSWORD).tell()
    }),
    case("A client without its secret", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_CLIENT_ID", "sh-client").tell()
    }),
    case(
        "User name or password in the environment are refused",
        "As at a login: the service does not say which. They are not tried again by themselves until they are changed.",
        |stage| stage.world().cdse("auth token").env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", "wrong").tell(),
    ),
    case(
        "Client id or secret in the environment are refused",
        "The secret was copied with something missing, or the client was removed.",
        |stage| {
            let set = stage.world();
            set.cdse("auth token").env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET", "wrong").tell()
        },
    ),
    case("Two sources of one-time codes", "It is not known which of them is meant.", |stage| {
        let set = stage.world();
        set.cdse_as(MFA, "auth token").env("CDSE_TOTP", "123456").env("CDSE_TOTP_SECRET", TOTP_SECRET).tell()
    }),
    case(
        "A one-time code that is none",
        "Codes have 6 to 8 digits; spaces do not matter. The secret that makes codes goes into `CDSE_TOTP_SECRET`.",
        |stage| stage.world().cdse_as(MFA, "auth token").env("CDSE_TOTP", "12345").tell(),
    ),
    case(
        "A secret of one-time codes that is none",
        "It is what the service shows beside the QR code, or the `otpauth://` address inside of it.",
        |stage| stage.world().cdse_as(MFA, "auth token").env("CDSE_TOTP_SECRET", "0189").tell(),
    ),
    case(
        "An access token that is none",
        "The variable holds the token alone, without `Bearer` and without quotes.",
        |stage| stage.world().cdse("auth token").env("CDSE_ACCESS_TOKEN", "Bearer CANARY").tell(),
    ),
    case("A refresh token that is none", "As above.", |stage| {
        stage.world().cdse("auth token").env("CDSE_REFRESH_TOKEN", "CANARY ü").tell()
    }),
    case(
        "A variable that is no text",
        "Its bytes are no UTF-8, as when a script was saved in another encoding.",
        |stage| stage.world().cdse("auth token").env("CDSE_USERNAME", OsStr::from_bytes(b"u\xff")).tell(),
    ),
    case(
        "A line end in a user name",
        "It comes from a file that was read with its line end; `$(cat FILE)` in a shell strips it.",
        |stage| stage.world().cdse_as("user@example.com\n", "auth token").tell(),
    ),
    case("A blank user name", "An empty variable counts as unset; one with only spaces is a mistake.", |stage| {
        stage.world().cdse_as("  ", "auth token").tell()
    }),
    case("A switch that is neither on nor off", "1, true, yes and on are on, 0, false, no and off are off.", |stage| {
        stage.world().cdse("auth token").env("CDSE_NO_INPUT", "maybe").tell()
    }),
    case(
        "A profile's name that cannot be one",
        "A name is also that of a file, so it is made of plain letters.",
        |stage| stage.world().cdse("auth token").env("CDSE_PROFILE", "../x").tell(),
    ),
    case(
        "The variable of the shells' completion",
        "`CDSE_COMPLETE` is set by what `cdse completions` prints, for one call. It does not belong in an environment.",
        |stage| stage.world().cdse("auth token").env("CDSE_COMPLETE", "tcsh").tell(),
    ),
];

const PROGRAMS: &[Case] = &[
    case(
        "The program is not there",
        "Programs run without a shell: aliases, pipes and `~` mean nothing. For a pipe name `sh -c '…'`.",
        |stage| program(stage, "vaultt read"),
    ),
    case(
        "The program failed",
        "What it printed on stdout is not shown, for it could be a secret; run it by hand.",
        |stage| program(stage, "false"),
    ),
    case("The program printed nothing", "Run it by hand, and look.", |stage| program(stage, "true")),
    case("The program prints far too much", "A secret has less than 64 KiB. The program was ended.", |stage| {
        program(stage, "yes")
    }),
    case("A quotation mark is not closed", "The text is split into words as a shell splits it.", |stage| {
        program(stage, "\"'vault read\"")
    }),
    case("No program is named", "The option or variable is set to spaces only.", |stage| program(stage, "\"  \"")),
    case(
        "The program for one-time codes prints something else",
        "It has to print 6 to 8 digits and nothing else.",
        |stage| stage.world().cdse_as(MFA, "auth token").env("CDSE_TOTP_COMMAND", "echo hello").tell(),
    ),
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
    case("There is no netrc file", "`--netrc` reads the file in `NETRC`, else `~/.netrc`.", |stage| {
        stage.typed("auth token --netrc")
    }),
    case(
        "It is no netrc file",
        "A netrc file has words in pairs: `machine NAME login USER password PASSWORD`. Words of it are not shown, for one could be a \
         password.",
        |stage| netrc(stage, "CANARY\n", 0o600),
    ),
    case("The netrc file does not name the service", "Any of these names will do.", |stage| {
        netrc(stage, "machine other.example login a password CANARY\n", 0o600)
    }),
    case("The netrc file has no user", "The entry has a password and no `login`.", |stage| {
        netrc(stage, "machine 127.0.0.1 password CANARY\n", 0o600)
    }),
    case("The netrc file has no password", "The entry has a `login` and no `password`.", |stage| {
        netrc(stage, "machine 127.0.0.1 login user@example.com\n", 0o600)
    }),
    case(
        "User name or password in the netrc file are refused",
        "As at a login, the service does not say which.",
        |stage| netrc(stage, "machine 127.0.0.1 login user@example.com password wrong\n", 0o600),
    ),
    case(
        "Others can read the netrc file",
        "The login went well. The passwords in the file are everybody's on this machine until its permissions are changed.",
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
    case("A command without its group", "`cdse --help` lists the groups.", |stage| stage.typed("login")),
    case("A command that does not exist", "`cdse auth --help` lists those there.", |stage| stage.typed("auth tokn")),
    case("An option that does not exist", "`--help` after the command lists its options.", |stage| {
        stage.typed("auth token --min-valdity 5m")
    }),
    case(
        "A password as an argument",
        "Every user of the machine can see the arguments of every program, and the shell's history keeps them. If it was a real \
         one, change it.",
        |stage| stage.typed("auth login --password …"),
    ),
    case("An argument too many", "What it says is not repeated, for it could be a secret.", |stage| {
        stage.typed("auth token something")
    }),
    case("An option without its value", "", |stage| stage.typed("auth token --profile")),
    case("An argument is missing", "", |stage| stage.typed("auth switch")),
    case("An option that is given twice", "", |stage| stage.typed("auth token --min-validity 5m --min-validity 9m")),
    case("Options that exclude each other", "", |stage| {
        stage.typed("auth login --password-stdin --refresh-token-stdin")
    }),
    case("A value that is not among those that can be", "", |stage| stage.typed("auth token --format xml")),
    case("A duration that is none", "", |stage| stage.typed("auth token --min-validity 5min")),
    case("A topic that does not exist", "", |stage| stage.typed("help everything")),
];

const OUTPUT: &[Case] = &[
    case(
        "The header file would replace something else",
        "Only a file that begins as a header file does is ever replaced. Name another one.",
        |stage| {
            let set = stage.logged_in();
            fs::write(set.world.home.path().join("notes.txt"), "years of work\n").unwrap();
            header_file(&set, "notes.txt")
        },
    ),
    case("The header file is a folder", "Name a file in it.", |stage| header_file(&stage.logged_in(), "")),
    case("The header file's folder does not exist", "It is made, unless a file is in its place.", |stage| {
        let set = stage.logged_in();
        fs::write(set.world.home.path().join("notes.txt"), "years of work\n").unwrap();
        header_file(&set, "notes.txt/header")
    }),
    case(
        "The output cannot be written",
        "The disk behind the redirection is full, or the file system failed.",
        |stage| stage.logged_in().cdse("auth token").stdout("/dev/full").tell(),
    ),
    case("The manual cannot be written", "A file is in the folder's place, or it is not yours.", |stage| {
        let set = stage.world();
        fs::write(set.world.home.path().join("man"), "").unwrap();
        let folder = set.world.home.path().join("man");
        set.typed(&format!("man {}", folder.display()))
    }),
];

fn header_file(set: &Set, name: &str) -> Option<Told> {
    let path = set.world.home.path().join(name);
    set.typed(&format!("auth header-file {}", path.display()))
}

const SANDBOX: &[Case] = &[
    case("The port is taken", "Another program listens there, perhaps another `cdse sandbox serve`.", |stage| {
        let set = stage.world();
        let port = set.world.sandbox.address().port();
        let told = set.typed(&format!("sandbox serve --port {port}"));
        let plain = |text: &str| text.replace(&port.to_string(), "8080");
        told.map(|told| Told { typed: plain(&told.typed), stderr: plain(&told.stderr), ..told })
    }),
    case("The command is not there", "The exit codes 126 and 127 are those of `env` and of shells.", |stage| {
        stage.typed("sandbox run -- no-such-program")
    }),
    case("The command may not be run", "It is no program, or `chmod +x` is missing.", |stage| {
        stage.typed("sandbox run -- /etc/passwd")
    }),
];
