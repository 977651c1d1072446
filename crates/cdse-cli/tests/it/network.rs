//! Authorities and proxies. The service's name is one that nobody but the proxy can resolve.

use std::fs;

use crate::rig::{Certificate, Habit, NAME, PROXY_PASSWORD, PROXY_USER, Rig};
use crate::support::{Call, MFA, PASSWORD, USER};

fn login(rig: &Rig, proxy: &str) -> Call {
    rig.cdse(proxy, ["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD)
}

#[test]
fn cli9_an_authority_of_ones_own_by_option_and_by_variable() {
    let rig = Rig::new();
    let proxy = format!("http://{}", rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass).address);
    let authority = rig.authority();
    let bundle = authority.to_str().unwrap();
    let without = |call: Call| call.without("SSL_CERT_FILE");

    let by_option = ["auth", "login", "--username", USER, "--password-stdin", "--ca-bundle", bundle];
    without(rig.cdse(&proxy, by_option)).stdin(PASSWORD).run().ok();
    rig.cdse(&proxy, ["auth", "refresh"]).run().ok();
    without(rig.cdse(&proxy, ["auth", "refresh"])).env("SSL_CERT_DIR", rig.folder()).run().ok();
    // The option adds to what is trusted, whoever says so.
    let other = rig.folder().join("other.pem");
    fs::write(&other, fs::read(Rig::new().authority()).unwrap()).unwrap();
    rig.cdse(&proxy, ["auth", "refresh", "--ca-bundle", bundle]).env("SSL_CERT_FILE", other).run().ok();
    without(rig.cdse(&proxy, ["auth", "logout", "--ca-bundle", bundle])).run().ok();
    let counters = rig.world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.refreshes_ok, counters.sessions_open), (1, 3, 0));
}

#[test]
fn cli9_each_kind_of_proxy_by_each_variable_is_told_the_name() {
    let rig = Rig::new();
    let front = rig.front(Certificate::Good);
    let user = format!("{PROXY_USER}:{PROXY_PASSWORD}");
    let http = rig.http_proxy(&front, Habit::WantsPassword);
    let https = rig.https_proxy(&front, Certificate::Good);
    let socks = rig.socks_proxy(&front, Habit::WantsPassword);
    let open = rig.socks_proxy(&front, Habit::Pass);
    for (variable, proxy, address) in [
        ("HTTPS_PROXY", &http, format!("http://{user}@{}", http.address)),
        ("https_proxy", &http, format!("http://{user}@{}/", http.address)),
        ("ALL_PROXY", &http, format!("{user}@{}", http.address)),
        ("HTTPS_PROXY", &https, format!("https://{}", https.address)),
        ("HTTPS_PROXY", &socks, format!("socks5h://{user}@{}", socks.address)),
        ("all_proxy", &open, format!("socks5h://{}", open.address)),
    ] {
        let before = proxy.seen().len();
        let through = |call: Call| call.env(variable, &address);
        // An empty variable counts as unset, whichever comes first.
        through(login(&rig, "").env("HTTPS_PROXY", "").env("NO_PROXY", "").env("no_proxy", "x.test")).run().ok();
        through(rig.cdse("", ["auth", "logout"])).run().ok();
        let seen = proxy.seen().split_off(before);
        assert_eq!(seen.len(), 2, "{variable} {address}: {seen:?}");
        assert!(seen.iter().all(|told| told.contains(&format!("{NAME}:443"))), "{variable} {address}: {seen:?}");
    }
    assert_eq!(rig.world.sandbox.counters().sessions_open, 0);
}

#[test]
fn cli9_no_proxy_goes_without_and_only_where_it_fits() {
    let rig = Rig::new();
    let proxy = rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass);
    let address = format!("http://{PROXY_USER}:{PROXY_PASSWORD}@{}", proxy.address);
    for exception in [NAME, "IDENTITY.CDSE.TEST", "a.example, .cdse.test", "*"] {
        login(&rig, &address).env("NO_PROXY", "elsewhere.test,dentity.cdse.test,127.0.0.1").run().ok();
        let before = proxy.seen().len();
        // Nobody here knows the name.
        let logout = rig.cdse(&address, ["auth", "logout"]).env("NO_PROXY", "").env("no_proxy", exception);
        let done = logout.run().exits(5).says(NAME);
        assert!(!done.stderr.contains("HTTPS_PROXY"), "{done:?}");
        assert_eq!(proxy.seen().len(), before, "{exception}");
    }
    login(&rig, &address).run().ok();
    rig.cdse(&address, ["auth", "logout"]).without("HTTPS_PROXY").run().exits(5).says(NAME);
}

#[test]
fn cli9_only_socks5h_leaves_the_name_to_the_proxy() {
    let rig = Rig::new();
    let proxy = rig.socks_proxy(&rig.front(Certificate::Good), Habit::Pass);
    login(&rig, &format!("socks5h://{}", proxy.address)).run().ok();
    let here = format!("socks5://{}", proxy.address);
    rig.cdse(&here, ["auth", "logout"]).run().exits(5).says(&format!("the proxy {here} (HTTPS_PROXY)"));
    assert_eq!(proxy.seen(), [format!("{NAME}:443")]);
}

/// How a session's end fails on the way, which is tried once.
fn lost_logout(rig: &Rig, good: &str, bad: &str) -> crate::support::Done {
    login(rig, good).run().ok();
    let (requests, done) = (rig.world.sandbox.counters().connections, rig.cdse(bad, ["auth", "logout"]).run());
    assert_eq!(rig.world.sandbox.counters().connections, requests, "{done:?}");
    done
}

#[test]
fn e5_a_proxy_in_the_way_is_named_without_its_password() {
    let rig = Rig::new();
    let front = rig.front(Certificate::Good);
    let good = format!("http://{}", rig.http_proxy(&front, Habit::Pass).address);
    let closed = {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        unused.local_addr().unwrap()
    };
    for (scheme, address, says) in [
        ("http", rig.http_proxy(&front, Habit::Answer("403 Forbidden")).address, "did not connect"),
        ("http", rig.http_proxy(&front, Habit::Answer("502 Bad Gateway")).address, "did not connect"),
        ("http", rig.http_proxy(&front, Habit::Close).address, "through the proxy"),
        ("http", rig.http_proxy(&front, Habit::Hang).address, "in time"),
        ("http", closed, "could not be reached"),
        ("socks5h", rig.socks_proxy(&front, Habit::Close).address, "not allowed"),
        ("socks5h", rig.socks_proxy(&front, Habit::Hang).address, "in time"),
        ("socks5h", closed, "could not be reached"),
    ] {
        // A user and a password are offered to a SOCKS proxy in place of going without.
        let user = if scheme == "http" { format!("{PROXY_USER}:{PROXY_PASSWORD}@") } else { String::new() };
        let bad = format!("{scheme}://{user}{address}");
        let done = lost_logout(&rig, &good, &bad).exits(5).says(says).says("may still be open");
        done.says(&format!("the proxy {scheme}://{address} (HTTPS_PROXY)"));
    }
}

#[test]
fn e4_what_waiting_does_not_mend_ends_a_login_at_once_and_nothing_is_sent() {
    let rig = Rig::new();
    let (good, expired) = (rig.front(Certificate::Good), rig.front(Certificate::Expired));
    let (tomorrow, other) = (rig.front(Certificate::OfTomorrow), rig.front(Certificate::OfAnotherName));
    let plain = rig.plain_front();
    let wants = [rig.http_proxy(&good, Habit::WantsPassword), rig.socks_proxy(&good, Habit::WantsPassword)];
    let wrong = |scheme: &str, nth: usize| format!("{scheme}://{PROXY_USER}:CANARY@{}", wants[nth].address);
    let fronts = [&expired, &tomorrow, &other, &plain].map(|front| rig.http_proxy(front, Habit::Pass));
    let through = |nth: usize| format!("http://{}", fronts[nth].address);
    let proxy_of_another = rig.https_proxy(&good, Certificate::OfAnotherName);
    let expired_proxy = rig.https_proxy(&good, Certificate::Expired);
    let tries = || fronts.iter().chain(&wants).map(|proxy| proxy.seen().len()).sum::<usize>();
    for (proxy, says) in [
        (wrong("http", 0), "the user name and password for the proxy"),
        (format!("http://{}", wants[0].address), "the user name and password for the proxy"),
        (format!("socks5h://{}", wants[1].address), "the user name and password for the proxy"),
        (wrong("socks5h", 1), "the user name and password for the proxy"),
        (through(0), "the identity service at identity.cdse.test has expired"),
        (through(1), "not valid yet"),
        (through(2), "for another name (portal.example"),
        (through(3), "does not speak TLS"),
        (format!("https://{}", expired_proxy.address), "the certificate of the proxy https://127.0.0.1"),
        (format!("https://{}", plain.address), "(HTTPS_PROXY) does not speak TLS"),
    ] {
        let before = tries();
        login(&rig, &proxy).run().exits(1).prints_nothing().says(says);
        assert!(tries() <= before + 1, "it was tried again: {says}");
    }
    // One for the address of a proxy is good for it, whatever else it names.
    login(&rig, &format!("https://{}", proxy_of_another.address)).run().ok();
    for (nth, proxy) in fronts.iter().enumerate() {
        assert_eq!(proxy.seen().len(), 1, "the proxy before front {nth}");
    }
    let counters = rig.world.sandbox.counters();
    assert_eq!((counters.password_grants, counters.logins_ok), (1, 1));
}

#[test]
fn e5_a_certificate_of_an_unknown_authority_names_what_to_do() {
    let rig = Rig::new();
    let proxy = rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass);
    let address = format!("http://{}", proxy.address);
    let code = rig.world.sandbox.totp_code(MFA).unwrap();
    let arguments = ["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code];
    let call = || rig.cdse(&address, arguments).stdin(PASSWORD).without("SSL_CERT_FILE");
    call().run().exits(1).prints_nothing().says("not trusted").says("SSL_CERT_FILE").says("--ca-bundle FILE");
    assert_eq!(proxy.seen().len(), 1, "it was tried again");
    let json = ["auth", "login", "--json", "--username", USER, "--password-stdin"];
    let done = rig.cdse(&address, json).stdin(PASSWORD).without("SSL_CERT_FILE").run().exits(1);
    assert_eq!(done.error_json()["error"]["code"], "unknown_authority");
    assert_eq!(rig.world.sandbox.counters().connections, 0);
    // What was wrong is mended, and works at once.
    login(&rig, &address).run().ok();
    // A session is kept, and its next renewal waits for no minute.
    rig.world.age(700);
    let token = || rig.cdse(&address, ["auth", "token"]);
    token().without("SSL_CERT_FILE").run().exits(1).says("not trusted");
    token().run().token();
    assert_eq!(rig.world.sandbox.counters().logins_ok, 1);
}

#[test]
fn cli9_a_bundle_that_cannot_be_used_is_named_and_nothing_is_done() {
    let rig = Rig::new();
    let proxy = format!("http://{}", rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass).address);
    login(&rig, &proxy).run().ok();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = files.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let pem = fs::read(rig.authority()).unwrap();
    let huge = file("huge", b"");
    fs::File::options().write(true).open(&huge).unwrap().set_len(1 << 40).unwrap();
    let pipe = files.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let loops = files.path().join("loop");
    std::os::unix::fs::symlink(&loops, &loops).unwrap();
    let damaged = String::from_utf8(pem.clone()).unwrap().replacen("MII", "AAA", 1);
    let odd = [
        (files.path().join("missing"), "cannot be read"),
        (loops, "cannot be read"),
        (files.path().to_owned(), "not a regular file"),
        (pipe, "not a regular file"),
        ("/dev/zero".into(), "not a regular file"),
        (file("empty", b""), "no certificate"),
        (file("binary", &[0, 159, 146, 150, 255]), "no certificate"),
        (file("torn", &pem[..pem.len() / 2]), "no certificate"),
        (file("key", b"-----BEGIN PRIVATE KEY-----\nQ0FOQVJZ\n-----END PRIVATE KEY-----\n"), "no certificate"),
        (file("damaged", damaged.as_bytes()), "damaged"),
        (huge, "too large"),
    ];
    let requests = rig.world.sandbox.counters().connections;
    let before = fs::read(rig.world.session_file()).unwrap();
    for (path, says) in &odd {
        let path = path.to_str().unwrap();
        let commands = [&["auth", "refresh"][..], &["auth", "logout"], &["auth", "token", "--force-refresh"]];
        for command in commands {
            let mut call = rig.cdse(&proxy, ["--ca-bundle", path]);
            call.command.args(command);
            let done = call.run().exits(2).prints_nothing().says("--ca-bundle").says(says);
            done.says(path);
            // It is nobody else's business.
            assert!(fs::read(rig.world.session_file()).unwrap() == before, "the stored session was written");
            let mut call = rig.cdse(&proxy, []);
            call.command.args(command);
            call.env("SSL_CERT_FILE", path).run().exits(2).prints_nothing().says("SSL_CERT_FILE").says(says);
        }
        // Nobody is asked for a password, and none is read.
        let mut call = login(&rig, &proxy);
        call.command.args(["--force", "--ca-bundle", path]);
        call.run().exits(2).prints_nothing();
        // A token that is fresh needs no authority.
        rig.cdse(&proxy, ["auth", "token", "--ca-bundle", path]).run().token();
    }
    for folders in ["/nowhere/at-all", files.path().to_str().unwrap()] {
        let call = rig.cdse(&proxy, ["auth", "refresh"]).without("SSL_CERT_FILE").env("SSL_CERT_DIR", folders);
        // What is said of one that has no certificate is said of none that has one.
        fs::remove_file(files.path().join("damaged")).ok();
        call.run().exits(2).says("SSL_CERT_DIR");
    }
    rig.cdse(&proxy, ["auth", "refresh"]).env("SSL_CERT_FILE", "").run().exits(2).says("SSL_CERT_FILE");
    rig.cdse(&proxy, ["auth", "token", "--ca-bundle", ""]).run().exits(2).says("--ca-bundle");
    assert_eq!(rig.world.sandbox.counters().connections, requests);
    rig.cdse(&proxy, ["auth", "refresh"]).run().ok();
    rig.cdse(&proxy, ["auth", "logout"]).run().ok();
}

#[test]
fn cli9_a_proxy_that_cannot_be_used_is_named_by_its_variable_and_not_passed_by() {
    let rig = Rig::new();
    let proxy = rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass);
    login(&rig, &format!("http://{}", proxy.address)).run().ok();
    for (variable, value) in [
        ("HTTPS_PROXY", "ftp://user:CANARY@proxy.example"),
        ("https_proxy", "http://user:CANARY@proxy example:1"),
        ("ALL_PROXY", "http://user:CANARY@"),
        ("all_proxy", "sock5://CANARY@proxy.example"),
        ("HTTPS_PROXY", " "),
        ("HTTPS_PROXY", "http://proxy.example:99999"),
        ("HTTPS_PROXY", "http://user:CAN@CANARY@proxy.example:1"),
        ("ALL_PROXY", "socks5h://proxy.example"),
    ] {
        let call = rig.cdse("", ["auth", "refresh"]).without("HTTPS_PROXY").env(variable, value);
        call.run().exits(2).prints_nothing().says(variable);
    }
    // A fresh token needs none, and this machine itself is never reached through one.
    rig.cdse("CANARY://", ["auth", "token"]).run().token();
    rig.world.cdse_as(USER, ["auth", "token"]).env("HTTPS_PROXY", "CANARY://").run().token();
}
