//! The environment variables, for `cdse help environment`.

/// Every variable that is heeded, and what it does, for `cdse help environment`.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("CDSE_ACCESS_TOKEN", "An access token. It is used as it is, never stored and never renewed."),
    ("CDSE_REFRESH_TOKEN", "A refresh token. Its session is stored, shared and renewed like that of a login."),
    (
        "CDSE_CLIENT_ID, CDSE_CLIENT_SECRET",
        "An OAuth client of your own, for Sentinel Hub and openEO. A client does not reach downloads.",
    ),
    (
        "CDSE_USERNAME, CDSE_PASSWORD",
        "A user. The first use logs in, and so does the next one after the session has ended; processes share the session.",
    ),
    (
        "CDSE_PASSWORD_FILE, CDSE_TOTP_SECRET_FILE, CDSE_CLIENT_SECRET_FILE, CDSE_REFRESH_TOKEN_FILE",
        "A file that holds the secret, in place of the variable without _FILE; one line end is stripped. Both set: an error.",
    ),
    (
        "CDSE_PASSWORD_COMMAND",
        "A program that prints the password, in place of CDSE_PASSWORD; it runs without a shell, when no fresh token is stored.",
    ),
    ("CDSE_TOTP", "The user's one-time code, for one login within a minute."),
    ("CDSE_TOTP_SECRET", "The secret that generates the user's one-time codes: base32, or an otpauth:// address."),
    (
        "CDSE_TOTP_COMMAND",
        "A program that prints a one-time code; it runs without a shell. At most one CDSE_TOTP… may be set.",
    ),
    ("CDSE_PROFILE", "The profile in use, as --profile NAME says; but credentials in the environment win over it."),
    (
        "CDSE_SESSION",
        "A stored session, by the id of its slot; `cdse exec` sets it for what it runs. CDSE_PROFILE and credentials win over it.",
    ),
    (
        "CDSE_TOKEN_FILE, CDSE_HEADER_FILE",
        "Set by `cdse exec` for what it runs: files with the access token, and with the line Authorization: Bearer …",
    ),
    (
        "CDSE_CATALOGUE_URL, CDSE_DOWNLOAD_URL, CDSE_ZIPPER_URL, CDSE_STAC_URL, CDSE_SENTINEL_HUB_URL",
        "Another address of a data service, which then gets tokens in place of CDSE's: https://HOST; http to this machine only.",
    ),
    (
        "CDSE_LOG",
        "What is said on stderr: info as -v, debug as -vv, off; also error, warn, trace. -v and -vv win over it.",
    ),
    ("CDSE_NO_INPUT", "1: never ask on the terminal, as --no-input."),
    (
        "CDSE_IDENTITY_URL",
        "Another identity service, by the address of its realm: https://HOST/…/realms/NAME; http to this machine only.",
    ),
    (
        "CDSE_STATE_DIR",
        "The folder where sessions are stored; else $XDG_STATE_HOME/cdse, else ~/.local/state/cdse \
         (`cdse auth dir` prints it). A whole path; it must be your own, on a disk of this machine.",
    ),
    (
        "XDG_STATE_HOME, HOME",
        "Where the state folder is, unless CDSE_STATE_DIR says. Without a HOME it is that of the user's entry in the system.",
    ),
    ("NETRC", "The netrc file that --netrc reads; else ~/.netrc."),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy to the identity service (http://, https://, socks5h://, socks5://), and the hosts that are reached without it, as curl reads them: names (example.org is for a.example.org too), addresses, ranges (10.0.0.0/8), or * alone; with commas or blanks between. Other forms are warned of. This machine is always reached without it.",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificate authorities in place of the system's."),
    (
        "NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM",
        "No colour if NO_COLOR is not empty, CLICOLOR is 0 or TERM is dumb; colour even in a pipe if CLICOLOR_FORCE is set and \
         not 0. --color wins over all of them.",
    ),
    ("CDSE_COMPLETE", "Set by what `cdse completions` prints: answer a shell instead of running."),
];
