//! Secrets from variables, files and programs, and what is said when the service refuses them.

use std::fs;

use cdse_sandbox::{Action, Fault};
use serde_json::json;

use crate::support::{MFA, PASSWORD, TOTP_SECRET, USER, World};
use crate::terminal::Screen;

/// What no secret holds, and no terminal shows.
const INVISIBLE: [&str; 8] = ["\n", "\r\n", "\r", "\t", "\u{1b}", "\u{200b}", "\u{feff}", "\u{7f}"];

#[test]
fn field_g_a_secret_in_a_variable_with_an_invisible_character_is_refused_before_anything_is_sent() {
    let world = World::new();
    for name in ["CDSE_PASSWORD", "CDSE_CLIENT_SECRET", "CDSE_REFRESH_TOKEN", "CDSE_ACCESS_TOKEN", "CDSE_TOTP_SECRET"] {
        for odd in INVISIBLE {
            for value in [format!("CANARY{odd}"), format!("{odd}CANARY"), format!("CAN{odd}CANARY")] {
                let call = world.cdse_as(USER, ["auth", "token"]).env(name, value);
                call.run().exits(2).prints_nothing().says(name);
            }
        }
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn field_g_of_a_secret_on_stdin_or_from_a_program_one_line_end_is_stripped_and_more_is_refused() {
    let world = World::new();
    let login = ["auth", "login", "--username", USER, "--password-stdin"];
    for odd in ["CANARY\n\n", "CANARY\nX\n", "CANARY\t", "CANARY\u{200b}\n"] {
        world.cdse(login).stdin(odd).run().exits(2).prints_nothing().says("--password-stdin");
        let file = world.home.path().join("printed");
        fs::write(&file, odd).unwrap();
        let program = format!("cat {}", file.display());
        let login = ["auth", "login", "--username", USER, "--password-command", &program];
        world.cdse(login).run().exits(1).prints_nothing().says("--password-command");
    }
    assert_eq!(world.sandbox.counters().connections, 0);
    world.cdse(login).stdin(format!("{PASSWORD}\r\n")).run().ok();
}

#[test]
fn field_g_after_a_refusal_the_hint_names_what_may_have_been_meant() {
    let world = World::new();
    for (password, hint) in [
        (format!("\"{PASSWORD}\""), "quotation marks"),
        (format!("'{PASSWORD}'"), "quotation marks"),
        (format!("{PASSWORD} "), "ends with a space"),
        (format!("{PASSWORD}\u{a0}"), "ends with a space"),
    ] {
        let done = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", &password).run();
        done.exits(4).says("CDSE_PASSWORD").says(hint);
        let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(&password);
        login.run().exits(4).says("the password ").says(hint);
        fs::remove_dir_all(world.state()).unwrap();
    }
}

#[test]
fn field_p_each_secret_is_read_from_the_file_that_its_variable_names() {
    let world = World::new();
    let file = |name: &str, text: &str| {
        let path = world.home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let password = file("password", &format!("{PASSWORD}\n"));
    let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_FILE", &password);
    call.run().token();
    let secret = file("totp", &format!("{TOTP_SECRET}\n"));
    let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", MFA).env("CDSE_PASSWORD_FILE", &password);
    call.env("CDSE_TOTP_SECRET_FILE", &secret).run().token();
    let secret = file("client", "sh-secret");
    let call = world.cdse(["auth", "token"]).env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET_FILE", &secret);
    call.run().token();
    let other = World::new();
    other.log_in();
    let token = file("refresh", &format!("{}\r\n", other.stored_refresh_token()));
    let state = world.home.path().join("third");
    let call = other.cdse(["auth", "token"]).env("CDSE_STATE_DIR", &state).env("CDSE_REFRESH_TOKEN_FILE", &token);
    call.run().token();
    // `auth login` takes it too.
    let call = world.cdse(["auth", "login", "--username", USER]).env("CDSE_PASSWORD_FILE", &password);
    call.run().ok();
}

#[test]
fn field_p_a_secret_that_is_given_twice_is_an_error_that_names_both() {
    let world = World::new();
    let file = world.home.path().join("secret");
    fs::write(&file, "CANARY").unwrap();
    for name in ["CDSE_PASSWORD", "CDSE_TOTP_SECRET", "CDSE_CLIENT_SECRET", "CDSE_REFRESH_TOKEN"] {
        let other = format!("{name}_FILE");
        let call = world.cdse(["auth", "token"]).env(name, "CANARY").env(&other, &file);
        call.run().exits(2).prints_nothing().says(&format!("{name} and {other} are both set"));
    }
    for name in ["CDSE_PASSWORD", "CDSE_PASSWORD_FILE"] {
        let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env(name, &file);
        let done = call.env("CDSE_PASSWORD_COMMAND", "echo CANARY").run().exits(2).prints_nothing();
        done.says(&format!("{name} and CDSE_PASSWORD_COMMAND are both set"));
    }
    let call = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET_FILE", &file).env("CDSE_TOTP", "123456");
    call.run().exits(2).says("CDSE_TOTP and CDSE_TOTP_SECRET_FILE are both set");
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn field_p_a_file_that_holds_no_secret_is_named_with_its_variable() {
    let world = World::new();
    let path = |name: &str| world.home.path().join(name);
    fs::write(path("empty"), "\n").unwrap();
    fs::write(path("two"), "CANARY\nCANARY\n").unwrap();
    fs::write(path("latin"), b"CANARY\xff").unwrap();
    fs::write(path("large"), vec![b'x'; 100_000]).unwrap();
    nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (name, why) in [
        ("empty", "is empty"),
        ("two", "holds a line end"),
        ("latin", "is not valid UTF-8"),
        ("large", "is too large"),
        ("pipe", "is not a regular file"),
        ("missing", "cannot be read"),
        ("", "is not a regular file"),
    ] {
        let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_FILE", path(name));
        call.run().exits(2).prints_nothing().says("CDSE_PASSWORD_FILE").says(why);
    }
    let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_FILE", "~/secret");
    call.run().exits(2).says("CDSE_PASSWORD_FILE").says("only a shell expands");
    assert_eq!(world.sandbox.counters().connections, 0);
}

/// A command that prints the user's password, and the file with a line for each time that it ran.
fn password_program(world: &World) -> (String, std::path::PathBuf) {
    let (program, calls) = (world.home.path().join("program"), world.home.path().join("calls"));
    fs::write(&program, format!("echo called >> {}\nprintf '%s\\n' '{PASSWORD}'\n", calls.display())).unwrap();
    (format!("sh {}", program.display()), calls)
}

#[test]
fn field_p_a_password_command_runs_when_a_login_may_be_needed_and_not_for_a_fresh_token() {
    let world = World::new();
    let (command, calls) = password_program(&world);
    let token = || {
        let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_COMMAND", &command);
        call.run().token()
    };
    let first = token();
    assert_eq!(token(), first);
    assert_eq!(fs::read_to_string(&calls).unwrap().lines().count(), 1, "a fresh token needs no password");
    world.age(700);
    assert_ne!(token(), first);
    let other = World::new();
    let call = other.cdse(["auth", "login", "--username", USER]).env("CDSE_PASSWORD_COMMAND", &command);
    call.run().ok();
    let call = other.cdse(["auth", "token"]).env("CDSE_STATE_DIR", other.home.path().join("x"));
    let call = call.env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_COMMAND", "sh -c 'echo CANARY; exit 3'");
    call.run().exits(1).prints_nothing().says("CDSE_PASSWORD_COMMAND");
    // A program that waits for somebody ends with its caller's patience.
    let call = other.cdse(["auth", "token", "--timeout", "1s"]).env("CDSE_STATE_DIR", other.home.path().join("y"));
    let call = call.env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_COMMAND", "sh -c 'sleep 5; echo CANARY'");
    call.run().exits(1).prints_nothing().says("within 1 s");
}

#[test]
fn field_p_a_command_that_only_looks_or_logs_out_asks_for_no_password() {
    let world = World::new();
    let (command, calls) = password_program(&world);
    let run = |arguments: &[&str]| {
        let call = world.cdse(arguments).env("CDSE_USERNAME", USER);
        call.env("CDSE_PASSWORD_COMMAND", &command).run()
    };
    let looks = || {
        run(&["auth", "status"]);
        run(&["auth", "doctor"]);
    };
    looks();
    assert!(!calls.exists(), "nobody has logged in");
    run(&["auth", "token"]).token();
    world.age(700);
    looks();
    run(&["auth", "logout"]).ok();
    assert_eq!(fs::read_to_string(&calls).unwrap().lines().count(), 1, "that of the login");
    assert_eq!(world.sandbox.counters().sessions_open, 0);
}

#[test]
fn field_j_an_access_token_that_is_none_is_refused_before_it_goes_anywhere() {
    let world = World::logged_in();
    let claims = |kind: &str| {
        let claims = json!({ "typ": kind, "exp": 4_000_000_000_u64, "sub": "CANARY" }).to_string();
        format!("eyJhbGciOiJub25lIn0.{}.c2ln", data_encoding::BASE64URL_NOPAD.encode(claims.as_bytes()))
    };
    for value in
        ["\"CANARY\"", "'CANARY'", "{\"access_token\":\"CANARY\"}", "CANARY,", "Bearer CANARY", "CANARY=X", "="]
    {
        let call = world.cdse(["auth", "token"]).env("CDSE_ACCESS_TOKEN", value);
        call.run().exits(2).prints_nothing().says("CDSE_ACCESS_TOKEN");
    }
    for (kind, says) in [("Refresh", "CDSE_REFRESH_TOKEN"), ("Offline", "CDSE_REFRESH_TOKEN"), ("ID", "an ID token")] {
        let call = world.cdse(["auth", "token"]).env("CDSE_ACCESS_TOKEN", claims(kind));
        call.run().exits(2).prints_nothing().says("CDSE_ACCESS_TOKEN").says(says);
    }
    let stored = world.stored_refresh_token();
    let call = world.cdse(["auth", "token"]).env("CDSE_ACCESS_TOKEN", stored);
    call.run().exits(2).prints_nothing().says("CDSE_REFRESH_TOKEN");
    for fine in [claims("Bearer"), "eyAz09-._~+/==".to_owned()] {
        world.cdse(["auth", "token"]).env("CDSE_ACCESS_TOKEN", &fine).run().token();
    }
}

#[test]
fn field_i_the_hint_after_a_refusal_knows_whether_a_second_factor_was_sent() {
    let world = World::new();
    let wrong = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR";
    let without = world.cdse_as(MFA, ["auth", "token"]).run().exits(4);
    without.says("no second factor was sent").says("CDSE_TOTP_SECRET");
    fs::remove_dir_all(world.state()).unwrap();
    let with = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET", wrong).run().exits(4);
    assert!(!with.stderr.contains("needs CDSE_TOTP"), "{with:?}");
    with.says("a code from CDSE_TOTP_SECRET was sent").says("agrees with the service's");
    fs::remove_dir_all(world.state()).unwrap();
    let with = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP", "000000").run().exits(4);
    with.says("the code in CDSE_TOTP was sent");
}

#[test]
fn field_i_a_clock_that_is_off_is_named_where_a_generated_code_was_refused() {
    let world = World::new();
    // The service's own time, 20 minutes ago.
    world.sandbox.script(
        Fault::new(
            cdse_sandbox::Endpoint::Discovery,
            Action::Answer {
                status: 200,
                headers: vec![("date".to_owned(), "Sat, 01 Jan 2000 00:00:00 GMT".to_owned())],
                body: json!({ "issuer": world.sandbox.realm_url() }).to_string().into_bytes(),
            },
        )
        .always(),
    );
    let wrong = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR";
    let done = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET", wrong).run().exits(4);
    done.says("this machine's clock is").says("ahead");
}

#[test]
fn field_i_a_totp_secret_is_read_as_authenticators_export_it_and_else_says_why_not() {
    let world = World::new();
    let spaced = TOTP_SECRET.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>();
    for address in [
        format!("otpauth://totp/Label:me@example.com?secret={TOTP_SECRET}&issuer=Another"),
        format!("otpauth://totp/Copernicus%20Data%20Space:me?secret={}&issuer=CDSE", spaced.join("%20")),
        format!("otpauth://totp/x?secret={}&algorithm=sha1&digits=6&period=30", spaced.join("+").to_lowercase()),
        format!("otpauth://TOTP/x?secret={TOTP_SECRET}%3D%3D&image=https%3A%2F%2Fexample.com%2Fx.png"),
    ] {
        let world = World::new();
        let call = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET", &address);
        call.run().token();
    }
    for (address, why) in [
        ("otpauth-migration://offline?data=CANARY", "export of several accounts"),
        ("otpauth://hotp/x?secret=GEZDGNBV&counter=1", "hotp"),
        ("otpauth://totp/x?issuer=CANARY", "has no secret"),
        ("otpauth://totp/x?secret=CANARY0189", "is not base32"),
        ("otpauth://totp/x?secret=GEZDGNBV&algorithm=MD5", "algorithm"),
        ("otpauth://totp/x?secret=GEZDGNBV&digits=six", "digits"),
        ("otpauth://totp/x?secret=GEZDGNBV&period=often", "period"),
        ("123456", "a code, not the secret"),
    ] {
        let call = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET", address);
        call.run().exits(2).prints_nothing().says("CDSE_TOTP_SECRET").says(why);
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn field_t_an_address_that_people_copy_says_what_to_leave_out() {
    let world = World::new();
    for (more, says) in [
        ("/protocol/openid-connect/token", "leave out /protocol/openid-connect/token"),
        ("/protocol/openid-connect/token/", "leave out /protocol/openid-connect/token"),
        ("/protocol/openid-connect/auth", "leave out /protocol/openid-connect/auth"),
        ("/protocol/openid-connect", "leave out /protocol/openid-connect"),
        ("/.well-known/openid-configuration", "leave out /.well-known/openid-configuration"),
        ("/account/", "leave out /account"),
    ] {
        let address = format!("{}{more}", world.sandbox.realm_url());
        let call = world.cdse_as(USER, ["auth", "token"]).env("CDSE_IDENTITY_URL", &address);
        call.run().exits(2).prints_nothing().says("CDSE_IDENTITY_URL").says(says);
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn field_k_nobody_is_asked_in_a_notebook() {
    let world = World::new();
    for (name, value) in [("JPY_PARENT_PID", "1"), ("MPLBACKEND", "module://matplotlib_inline.backend_inline")] {
        let words = [crate::support::BINARY, "auth", "login"];
        let mut screen = Screen::with(&world, &words, &[(name, value)]);
        assert_eq!(screen.end().code(), Some(2), "{}", screen.text());
        screen.wait_for("--password-stdin");
        assert!(!screen.text().contains("User name:"), "{}", screen.text());
    }
}

#[test]
fn field_n_what_is_typed_in_another_encoding_is_refused_at_a_hidden_question() {
    let world = World::new();
    for typed in [&b"CAN\xe4RY\n"[..], b"\xff\n"] {
        let mut screen = Screen::run(&world, &["auth", "login", "--username", USER]);
        screen.wait_for("Password of");
        screen.types_bytes(typed);
        assert_eq!(screen.end().code(), Some(2), "{}", screen.text());
        screen.wait_for("is not valid UTF-8");
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn cli5_a_user_is_refused_only_what_is_known_to_fail() {
    let world = World::new();
    for service in ["openeo", "sentinel-hub", "download", "stac"] {
        world.cdse_as(USER, ["auth", "token", "--for", service]).run().token();
    }
}
