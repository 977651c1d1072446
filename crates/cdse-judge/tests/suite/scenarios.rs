//! The scenarios: what a client of the identity service can meet.

use std::time::Duration;

use crate::observed::{JSON, Observed, Reply, TOKEN, encode, password_grant, refresh_grant};
use cdse_judge::Realm;

pub(crate) type Scenario = fn(&mut Observed<'_>);

pub(crate) const ALL: &[(&str, Realm, Scenario)] = &[
    ("password", Realm::Ordinary, password),
    ("malformed", Realm::Ordinary, malformed),
    ("totp", Realm::Ordinary, totp),
    ("client-credentials", Realm::Ordinary, client_credentials),
    ("refresh", Realm::Ordinary, refresh),
    ("rotation", Realm::Rotating, rotation),
    ("reuse-of-older", Realm::Rotating, reuse_of_older),
    ("expiry", Realm::Short, expiry),
    ("offline", Realm::Ordinary, offline),
    ("offline-refused", Realm::Ordinary, offline_refused),
    ("offline-logout", Realm::Ordinary, offline_logout),
    ("offline-revoke", Realm::Ordinary, offline_revoke),
    ("offline-beside-revoked", Realm::Ordinary, offline_beside_revoked),
    ("offline-account", Realm::Ordinary, offline_account),
    ("offline-rotation", Realm::Rotating, offline_rotation),
    ("offline-expiry", Realm::Short, offline_expiry),
    ("offline-restart", Realm::Ordinary, offline_restart),
    ("offline-limit", Realm::Limited, offline_limit),
    ("offline-disabled", Realm::Ordinary, offline_disabled),
    ("logout", Realm::Ordinary, logout),
    ("revoke", Realm::Ordinary, revoke),
    ("account", Realm::Ordinary, account),
    ("account-end", Realm::Ordinary, account_end),
    ("userinfo", Realm::Ordinary, userinfo),
    ("limit", Realm::Limited, limit),
    ("brute-force", Realm::Guarded, brute_force),
    ("disabled", Realm::Ordinary, disabled),
    ("changed-password", Realm::Ordinary, changed_password),
    ("not-before", Realm::Ordinary, not_before),
    ("device", Realm::Ordinary, device),
    ("discovery", Realm::Ordinary, discovery),
];

const USER: &str = "user@example.com";
/// The one who may have offline tokens.
const OFFLINE: &str = "offline@example.com";
const MFA: &str = "mfa@example.com";
const PASSWORD: &str = "s3cret!";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn with_scope<'a>(username: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = password_grant(username, PASSWORD);
    fields.push(("scope", scope));
    fields
}

fn password(o: &mut Observed<'_>) {
    o.login("ok", USER, PASSWORD);
    o.token("openid", &with_scope(USER, "openid"));
    o.login("upper case", "USER@example.com", PASSWORD);
    o.login("space after the name", "user@example.com ", PASSWORD);
    o.login("wrong", USER, "wrong");
    o.login("empty", USER, "");
    o.login("line end after the password", USER, "s3cret!\n");
    o.login("unknown user", "nobody@example.com", PASSWORD);
    o.token("no password", &password_grant(USER, PASSWORD)[..3]);
    o.token("no user", &[("client_id", "cdse-public"), ("grant_type", "password"), ("password", PASSWORD)]);
    o.token("no client", &password_grant(USER, PASSWORD)[1..]);
    let with = |client: &'static str| {
        let mut fields = password_grant(USER, PASSWORD);
        fields[0].1 = client;
        fields
    };
    o.token("unknown client", &with("unknown"));
    o.token("client without the grant", &with("no-grants"));
    o.token("confidential client without its secret", &with("sh-client"));
    let mut secret = password_grant(USER, PASSWORD);
    secret.push(("client_secret", "ignored"));
    o.token("secret of a public client", &secret);
    o.token("unknown scope", &with_scope(USER, "nonexistent"));
    o.login("disabled", "disabled@example.com", PASSWORD);
    o.login("disabled, wrong", "disabled@example.com", "wrong");
    o.login("action pending", "action@example.com", PASSWORD);
    o.login("action pending, wrong", "action@example.com", "wrong");
}

fn malformed(o: &mut Observed<'_>) {
    o.token("nothing", &[]);
    o.token("no grant", &[("client_id", "cdse-public")]);
    o.token("unknown grant", &[("client_id", "cdse-public"), ("grant_type", "magic")]);
    let mut twice = password_grant(USER, PASSWORD);
    twice.push(("username", USER));
    o.token("twice", &twice);
    o.request("get", "GET", TOKEN, &[JSON], "");
    o.request("put", "PUT", TOKEN, &[JSON, FORM], "");
    o.request("no content type", "POST", TOKEN, &[JSON], &encode(&password_grant(USER, PASSWORD)));
    o.request("no accept", "POST", TOKEN, &[FORM], &encode(&password_grant(USER, PASSWORD)));
    let plus = encode(&password_grant(USER, PASSWORD)).replace("s3cret%21", "s3cret!");
    o.request("bang as it is", "POST", TOKEN, &[FORM, JSON], &plus);
}

fn totp(o: &mut Observed<'_>) {
    let with = |code: &str| {
        let mut fields: Vec<(&str, String)> =
            password_grant(MFA, PASSWORD).into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        fields.push(("totp", code.to_owned()));
        fields
    };
    let mut send = |step: &str, fields: Vec<(&str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        o.token(step, &fields)
    };
    send("missing", password_grant(MFA, PASSWORD).into_iter().map(|(n, v)| (n, v.to_owned())).collect());
    send("empty", with(""));
    send("wrong", with("000000"));
    let code = code();
    let right = send("right", with(&code));
    send("used", with(&code));
    send("for a user without", {
        let mut fields = with("123456");
        fields[2].1 = USER.to_owned();
        fields
    });
    o.refresh("a refresh needs none", &right.refresh());
}

/// The code of this moment (RFC 6238); the embedded service has the system's clock in this scenario.
fn code() -> String {
    let secret = totp_rs::Secret::try_from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
    #[expect(clippy::disallowed_methods, reason = "a real server's time cannot be moved")]
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now).to_string()
}

fn client_credentials(o: &mut Observed<'_>) {
    let with =
        |client, secret| [("client_id", client), ("client_secret", secret), ("grant_type", "client_credentials")];
    let ok = o.token("ok", &with("sh-client", "sh-secret"));
    o.sessions("its account", &ok.access());
    o.token("wrong secret", &with("sh-client", "wrong"));
    o.token("no secret", &[("client_id", "sh-client"), ("grant_type", "client_credentials")]);
    o.token("unknown client", &with("unknown", "secret"));
    o.token("public client", &with("cdse-public", "secret"));
}

fn refresh(o: &mut Observed<'_>) {
    let first = o.login("login", USER, PASSWORD);
    let second = o.refresh("ok", &first.refresh());
    o.refresh("the older one again", &first.refresh());
    o.refresh("the newer one", &second.refresh());
    o.refresh("garbage", "garbage");
    o.refresh("empty", "");
    o.refresh("access token", &first.access());
    o.token("none", &[("client_id", "cdse-public"), ("grant_type", "refresh_token")]);
    let token = second.refresh();
    let with = |client: &'static str| [("client_id", client), refresh_grant("")[1], ("refresh_token", token.as_str())];
    o.token("another client", &with("other-public"));
    o.token("unknown client", &with("unknown"));
    o.token("no client", &with("")[1..]);
    o.refresh("still good", &token);
    let (head, signature) = token.rsplit_once('.').unwrap();
    o.refresh("bad signature", &format!("{head}.{}", signature.chars().rev().collect::<String>()));
    o.token("scope is ignored", &[&refresh_grant(&token)[..], &[("scope", "openid")]].concat());
}

fn rotation(o: &mut Observed<'_>) {
    let first = o.login("login", USER, PASSWORD);
    let second = o.refresh("ok", &first.refresh());
    o.sessions("the new access token", &second.access());
    o.refresh("the one just used", &first.refresh());
    o.refresh("the newest, after that", &second.refresh());
    o.sessions("its access token", &second.access());
    let other = o.login("another login", USER, PASSWORD);
    o.sessions("the dead one keeps its place", &other.access());
    o.logout("logout with a dead token", &second.refresh());
    o.sessions("and gives it back", &other.access());
}

fn reuse_of_older(o: &mut Observed<'_>) {
    let first = o.login("login", USER, PASSWORD);
    // Within one second Keycloak does not see it.
    o.stage.pass(Duration::from_secs(2));
    let second = o.refresh("once", &first.refresh());
    o.stage.pass(Duration::from_secs(2));
    let third = o.refresh("twice", &second.refresh());
    o.refresh("two behind", &first.refresh());
    o.refresh("the newest, after that", &third.refresh());
}

fn expiry(o: &mut Observed<'_>) {
    let first = o.login("login", USER, PASSWORD);
    o.stage.pass(Duration::from_secs(3));
    o.sessions("access token over", &first.access());
    let second = o.refresh("refresh", &first.refresh());
    o.sessions("new access token", &second.access());
    o.stage.pass(Duration::from_secs(6));
    o.refresh("session over", &second.refresh());
    o.logout("logout of it", &second.refresh());
}

fn offline_login(o: &mut Observed<'_>, step: &str) -> Reply {
    o.token(step, &with_scope(OFFLINE, "offline_access"))
}

fn offline(o: &mut Observed<'_>) {
    let first = offline_login(o, "login");
    o.sessions("its access token", &first.access());
    o.userinfo("without openid", &first.access());
    let second = o.refresh("ok", &first.refresh());
    o.refresh("the older one again", &first.refresh());
    o.sessions("the new access token", &second.access());
    o.token(
        "another client",
        &[("client_id", "other-public"), refresh_grant("")[1], ("refresh_token", &second.refresh())],
    );
    o.token("scope is ignored", &[&refresh_grant(&second.refresh())[..], &[("scope", "profile")]].concat());
    let openid = o.token("openid", &with_scope(OFFLINE, "openid offline_access"));
    o.userinfo("with openid", &openid.access());
    let online = o.login("without the scope", OFFLINE, PASSWORD);
    o.sessions("an ordinary session beside it", &online.access());
    o.refresh("of the ordinary session", &online.refresh());
}

fn offline_refused(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    let mut fields = with_scope(USER, "offline_access");
    o.token("without the role", &fields);
    o.sessions("what it leaves", &login.access());
    fields[3].1 = "wrong";
    o.token("without the role and with a wrong password", &fields);
    fields[2].1 = OFFLINE;
    o.token("wrong password", &fields);
    let client = [
        ("client_id", "sh-client"),
        ("client_secret", "sh-secret"),
        ("grant_type", "client_credentials"),
        ("scope", "offline_access"),
    ];
    o.token("a client for itself", &client);
}

fn offline_logout(o: &mut Observed<'_>) {
    let online = o.login("ordinary login", OFFLINE, PASSWORD);
    let first = offline_login(o, "login");
    let other = offline_login(o, "another");
    o.sessions("sessions", &online.access());
    let second = o.refresh("ok", &first.refresh());
    o.post("another client", "logout", &[("client_id", "other-public"), ("refresh_token", &first.refresh())]);
    o.logout("logout", &first.refresh());
    o.logout("again", &first.refresh());
    o.refresh("refresh after it", &first.refresh());
    o.refresh("with the newer one", &second.refresh());
    o.sessions("access token after it", &second.access());
    o.sessions("sessions after it", &online.access());
    o.refresh("the other lives", &other.refresh());
    o.refresh("and the ordinary one", &online.refresh());
    o.logout("logout of the ordinary one", &online.refresh());
    o.refresh("the other lives on", &other.refresh());
}

fn offline_revoke(o: &mut Observed<'_>) {
    let online = o.login("ordinary login", OFFLINE, PASSWORD);
    let first = offline_login(o, "login");
    let other = offline_login(o, "another");
    let revoke = |o: &mut Observed<'_>, step: &str, token: &str| {
        o.post(step, "revoke", &[("client_id", "cdse-public"), ("token", token)])
    };
    o.post("another client", "revoke", &[("client_id", "other-public"), ("token", &first.refresh())]);
    revoke(o, "access token", &first.access());
    o.sessions("it is dead", &first.access());
    let second = o.refresh("the session lives", &first.refresh());
    revoke(o, "refresh token", &first.refresh());
    revoke(o, "again", &first.refresh());
    o.refresh("refresh after it", &first.refresh());
    o.refresh("with the newer one", &second.refresh());
    o.sessions("access token after it", &second.access());
    o.logout("logout after it", &second.refresh());
    o.refresh("the other", &other.refresh());
    o.sessions("access token of the other", &other.access());
    o.sessions("ordinary sessions", &online.access());
    o.refresh("the ordinary one", &online.refresh());
}

/// Whatever else an ordinary token takes along when it is revoked.
fn offline_beside_revoked(o: &mut Observed<'_>) {
    let online = o.login("ordinary login", OFFLINE, PASSWORD);
    let offline = offline_login(o, "login");
    o.post("revoke the ordinary one", "revoke", &[("client_id", "cdse-public"), ("token", &online.refresh())]);
    o.refresh("it is dead", &online.refresh());
    o.refresh("the offline one", &offline.refresh());
}

fn offline_account(o: &mut Observed<'_>) {
    let online = o.login("ordinary login", OFFLINE, PASSWORD);
    let [first, second, third, fourth] = ["first", "second", "third", "fourth"].map(|nth| offline_login(o, nth));
    o.sessions("sessions", &online.access());
    o.sessions("sessions for the bearer of an offline one", &first.access());
    o.bearer("devices", "GET", "account/sessions/devices", &first.access());
    o.bearer("end one", "DELETE", &format!("account/sessions/{}", first.text("session_state")), &online.access());
    o.refresh("the one", &first.refresh());
    o.sessions("its access token", &first.access());
    o.bearer("end the others", "DELETE", "account/sessions", &online.access());
    o.refresh("one of the others", &second.refresh());
    o.sessions("its access token, after that", &second.access());
    o.bearer("end all", "DELETE", "account/sessions?current=true", &online.access());
    o.refresh("the ordinary one", &online.refresh());
    o.refresh("another one", &third.refresh());
    o.sessions("its access token, after all", &third.access());
    o.bearer("devices after all", "GET", "account/sessions/devices", &third.access());
    o.bearer("end all as its bearer", "DELETE", "account/sessions?current=true", &fourth.access());
    o.refresh("the last one", &fourth.refresh());
}

fn offline_rotation(o: &mut Observed<'_>) {
    let first = offline_login(o, "login");
    let second = o.refresh("ok", &first.refresh());
    o.sessions("the new access token", &second.access());
    o.refresh("the one just used", &first.refresh());
    o.refresh("the newest, after that", &second.refresh());
    o.sessions("its access token", &second.access());
    o.logout("logout with a dead token", &second.refresh());
    o.refresh("after the logout", &second.refresh());
    let first = offline_login(o, "another login");
    // Within one second Keycloak does not see it.
    o.stage.pass(Duration::from_secs(2));
    let second = o.refresh("once", &first.refresh());
    o.stage.pass(Duration::from_secs(2));
    let third = o.refresh("twice", &second.refresh());
    o.refresh("two behind", &first.refresh());
    o.refresh("the newest, after two behind", &third.refresh());
}

fn offline_expiry(o: &mut Observed<'_>) {
    let online = o.login("ordinary login", OFFLINE, PASSWORD);
    let first = o.token("login with openid", &with_scope(OFFLINE, "openid offline_access"));
    o.stage.pass(Duration::from_secs(3));
    o.userinfo("access token over", &first.access());
    let second = o.refresh("refresh", &first.refresh());
    o.stage.pass(Duration::from_secs(6));
    o.refresh("an ordinary session is over", &online.refresh());
    let third = o.refresh("it lives beyond that", &second.refresh());
    o.userinfo("and its access token", &third.access());
    o.logout("logout of it", &third.refresh());
    o.refresh("after the logout", &third.refresh());
}

fn offline_restart(o: &mut Observed<'_>) {
    let login = offline_login(o, "login");
    o.stage.restart();
    let again = o.refresh("it outlives the service", &login.refresh());
    o.sessions("its access token", &again.access());
    o.logout("logout", &again.refresh());
    o.refresh("refresh after it", &again.refresh());
}

fn offline_limit(o: &mut Observed<'_>) {
    let first = offline_login(o, "first");
    offline_login(o, "second");
    offline_login(o, "third");
    offline_login(o, "fourth");
    o.login("ordinary login", OFFLINE, PASSWORD);
    o.logout("logout", &first.refresh());
    offline_login(o, "after a logout");
    offline_login(o, "and one more");
}

fn offline_disabled(o: &mut Observed<'_>) {
    let login = offline_login(o, "login");
    o.stage.set_enabled(OFFLINE, false);
    o.refresh("refresh", &login.refresh());
    o.sessions("access token", &login.access());
    o.stage.set_enabled(OFFLINE, true);
    o.refresh("enabled again", &login.refresh());
    o.stage.pass(Duration::from_secs(2));
    o.stage.push_not_before();
    o.refresh("stale", &login.refresh());
    o.logout("logout", &login.refresh());
}

fn logout(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    let other = o.login("another", USER, PASSWORD);
    o.logout("garbage", "garbage");
    o.logout("access token", &login.access());
    let token = login.refresh();
    o.post("another client", "logout", &[("client_id", "other-public"), ("refresh_token", &token)]);
    o.post("no client", "logout", &[("refresh_token", &token)]);
    o.post("no token", "logout", &[("client_id", "cdse-public")]);
    o.refresh("still good", &token);
    o.logout("ok", &token);
    o.logout("again", &token);
    o.refresh("refresh after it", &token);
    o.sessions("access token after it", &login.access());
    o.refresh("the other lives", &other.refresh());
}

fn revoke(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    let other = o.login("another", USER, PASSWORD);
    let revoke = |token: &str| [("client_id", "cdse-public".to_owned()), ("token", token.to_owned())];
    let send = |o: &mut Observed<'_>, step: &str, fields: &[(&str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        o.post(step, "revoke", &fields)
    };
    send(o, "garbage", &revoke("garbage"));
    send(o, "no token", &revoke("")[..1]);
    send(o, "another client", &[("client_id", "other-public".to_owned()), ("token", login.refresh())]);
    send(o, "access token", &revoke(&login.access()));
    o.sessions("it is dead", &login.access());
    let again = o.refresh("the session lives", &login.refresh());
    send(o, "refresh token", &revoke(&again.refresh()));
    o.refresh("it is dead too", &again.refresh());
    send(o, "again", &revoke(&again.refresh()));
    o.refresh("the user's other session", &other.refresh());
}

fn account(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    let access = login.access();
    o.sessions("list", &access);
    o.bearer("devices", "GET", "account/sessions/devices", &access);
    let bearer = format!("Bearer {access}");
    o.request("without accept", "GET", "account/sessions", &[("authorization", &bearer)], "");
    o.request("without a token", "GET", "account/sessions", &[JSON], "");
    o.sessions("garbage", "garbage");
    o.bearer("end an unknown one", "DELETE", "account/sessions/unknown", &access);
    o.sessions("a refresh token", &login.refresh());
}

fn account_end(o: &mut Observed<'_>) {
    let first = o.login("first", USER, PASSWORD);
    let second = o.login("second", USER, PASSWORD);
    let third = o.login("third", USER, PASSWORD);
    let list = o.sessions("three", &first.access());
    assert_eq!(list.status, 200);
    o.bearer("end one", "DELETE", &format!("account/sessions/{}", second.text("session_state")), &first.access());
    o.refresh("it is over", &second.refresh());
    o.bearer("end the others", "DELETE", "account/sessions", &first.access());
    o.refresh("the third is over", &third.refresh());
    o.sessions("one is left", &first.access());
    o.bearer("end all", "DELETE", "account/sessions?current=true", &first.access());
    o.sessions("none is left", &first.access());
}

fn userinfo(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    o.userinfo("without openid", &login.access());
    let openid = o.token("login with openid", &with_scope(USER, "openid"));
    o.userinfo("ok", &openid.access());
    o.userinfo("garbage", "garbage");
    o.request("no token", "GET", "protocol/openid-connect/userinfo", &[JSON], "");
    o.logout("logout", &openid.refresh());
    o.userinfo("after it", &openid.access());
}

fn limit(o: &mut Observed<'_>) {
    let first = o.login("first", USER, PASSWORD);
    o.login("second", USER, PASSWORD);
    o.login("third", USER, PASSWORD);
    o.login("fourth", USER, PASSWORD);
    let grant = encode(&password_grant(USER, PASSWORD));
    o.request("fourth, without accept", "POST", TOKEN, &[FORM], &grant);
    o.request("fourth, any type", "POST", TOKEN, &[FORM, ("accept", "*/*")], &grant);
    o.login("wrong password", USER, "wrong");
    let again = o.refresh("refresh", &first.refresh());
    o.logout("logout", &again.refresh());
    o.login("a place is free", USER, PASSWORD);
    o.login("and taken", USER, PASSWORD);
}

fn brute_force(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    for nth in ["one", "two", "three"] {
        o.login(nth, USER, "wrong");
    }
    o.login("locked", USER, PASSWORD);
    o.refresh("refresh while locked", &login.refresh());
    o.stage.pass(Duration::from_secs(6));
    o.login("unlocked", USER, PASSWORD);
}

fn disabled(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    o.stage.set_enabled(USER, false);
    o.refresh("refresh", &login.refresh());
    o.login("login while disabled", USER, PASSWORD);
    o.stage.set_enabled(USER, true);
    o.refresh("enabled again", &login.refresh());
}

fn changed_password(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    o.stage.set_password(USER, "another");
    o.refresh("refresh", &login.refresh());
    o.login("old password", USER, PASSWORD);
    o.stage.set_password(USER, PASSWORD);
}

fn not_before(o: &mut Observed<'_>) {
    let login = o.login("login", USER, PASSWORD);
    o.stage.pass(Duration::from_secs(2));
    o.stage.push_not_before();
    o.refresh("refresh", &login.refresh());
    o.stage.pass(Duration::from_secs(2));
    o.login("login after it", USER, PASSWORD);
}

fn device(o: &mut Observed<'_>) {
    o.post("not enabled", "auth/device", &[("client_id", "other-public")]);
    o.post("without a challenge", "auth/device", &[("client_id", "cdse-public")]);
    o.post("unknown client", "auth/device", &[("client_id", "unknown")]);
}

fn discovery(o: &mut Observed<'_>) {
    o.request("document", "GET", ".well-known/openid-configuration", &[JSON], "");
}
