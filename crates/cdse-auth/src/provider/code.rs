//! One-time codes (RFC 6238): given, generated or asked for.

use std::fmt;

use totp_rs::{Algorithm, Builder, Totp};
use url::Url;
use zeroize::Zeroizing;

use crate::clock::{Clock, Millis, Now};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How long digits are good for after they were given.
pub(crate) const GIVEN_LIFE: Millis = 60_000;

/// Where one-time codes come from.
pub enum CodeSource<'a> {
    /// The account has no second factor, as far as is known.
    None,
    /// These digits, once.
    Given(&'a OneTimeCode),
    /// Generated, one login per time step.
    Totp(&'a TotpSecret),
    /// A user is asked.
    Asked(&'a (dyn Fn() -> Result<Secret> + Send + Sync)),
}

impl fmt::Debug for CodeSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Given(_) => "Given",
            Self::Totp(_) => "Totp",
            Self::Asked(_) => "Asked",
        })
    }
}

/// Digits and the moment at which they were given.
#[derive(Clone, Debug)]
pub struct OneTimeCode {
    pub(crate) digits: Secret,
    pub(crate) given_at: Now,
}

impl OneTimeCode {
    /// Digits that were given just now; they are sent within 60 s or not at all.
    pub fn given_now(digits: impl Into<Secret>) -> Self {
        Self { digits: digits.into(), given_at: Clock::default().now() }
    }
}

/// The secret that generates one-time codes (RFC 6238): SHA-1, SHA-256 or SHA-512, 6 to 8 digits, any period.
#[derive(Clone)]
pub struct TotpSecret(Totp);

impl TotpSecret {
    /// Reads a base32 text (spaces, hyphens, padding and lower case are accepted; SHA-1, 6 digits, 30 s) or an
    /// `otpauth://totp/…` address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when it is neither. The error does not show the text.
    ///
    /// ```
    /// use cdse_auth::TotpSecret;
    ///
    /// let secret = TotpSecret::new("gezd gnbv gy3t qojq gezd gnbv gy3t qojq")?;
    /// assert!(TotpSecret::new("1 is no base32 digit").is_err());
    /// # Ok::<(), cdse_auth::Error>(())
    /// ```
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        let totp = if starts("otpauth://") {
            of_address(text)?
        } else if starts("otpauth-migration://") {
            return Err(refused("it is an authenticator's export of several accounts").with_hint(
                "export this account alone, as otpauth://totp/…, or copy its secret from where the second factor is set up",
            ));
        } else if (6..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused("it is a code, not the secret that generates codes"));
        } else {
            let secret = base32(text).ok_or_else(|| refused("it is neither base32 nor an otpauth:// address"))?;
            Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret).build_noncompliant()
        };
        if !(6..=8).contains(&totp.digits()) {
            return Err(refused("codes have 6 to 8 digits"));
        }
        if !(1..=3600).contains(&totp.step()) {
            return Err(refused("the period must be 1 to 3600 s"));
        }
        if totp.secret().is_empty() {
            return Err(refused("it is empty"));
        }
        Ok(Self(totp))
    }

    /// The time step of a moment.
    pub(crate) fn step_at(&self, wall: Millis) -> i64 {
        wall.div_euclid(1000).div_euclid(self.period())
    }

    /// When a step begins, on the wall clock.
    pub(crate) fn start_of(&self, step: i64) -> Millis {
        step.saturating_mul(self.period()).saturating_mul(1000)
    }

    /// The code of a step.
    pub(crate) fn code(&self, step: i64) -> Secret {
        let time = u64::try_from(step.saturating_mul(self.period())).unwrap_or(0);
        Secret::new(self.0.generate(time).to_string())
    }

    fn period(&self) -> i64 {
        i64::try_from(self.0.step()).unwrap_or(30)
    }
}

/// As an authenticator exports it. Label, issuer and what else stands there are for people, and codes do not depend on them.
fn of_address(text: &str) -> Result<Totp> {
    let url = Url::parse(text).map_err(|_| refused("the otpauth:// address cannot be read"))?;
    if !url.host_str().is_some_and(|kind| kind.eq_ignore_ascii_case("totp")) {
        return Err(refused(
            "it is not an otpauth://totp/ address, and codes of other kinds (hotp) are not made from the time",
        ));
    }
    let mut builder = Builder::new().with_algorithm(Algorithm::SHA1);
    let mut has_secret = false;
    for (name, value) in url.query_pairs() {
        builder = match &*name.to_ascii_lowercase() {
            "secret" => {
                has_secret = true;
                let value = Zeroizing::new(value.into_owned());
                let secret = base32(&value).ok_or_else(|| refused("the secret in the address is not base32"))?;
                builder.with_secret(secret)
            }
            "algorithm" => {
                let name = value.to_ascii_uppercase().replace('-', "").replace("HMAC", "");
                builder.with_algorithm(match &*name {
                    "SHA1" => Algorithm::SHA1,
                    "SHA256" => Algorithm::SHA256,
                    "SHA512" => Algorithm::SHA512,
                    _ => return Err(refused("the algorithm in the address is not SHA1, SHA256 or SHA512")),
                })
            }
            "digits" => builder
                .with_digits(value.trim().parse().map_err(|_| refused("the digits in the address are not a number"))?),
            "period" => builder.with_step_duration(
                value.trim().parse().map_err(|_| refused("the period in the address is not a number"))?,
            ),
            _ => builder,
        };
    }
    if !has_secret {
        return Err(refused("the otpauth:// address has no secret"));
    }
    Ok(builder.build_noncompliant())
}

fn base32(text: &str) -> Option<totp_rs::Secret> {
    let mut compact: Zeroizing<String> = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !matches!(c, ' ' | '-' | '=')).map(|c| c.to_ascii_uppercase()));
    totp_rs::Secret::try_from_base32(compact.as_str()).ok()
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Configuration, format!("the TOTP secret cannot be used: {why}"))
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: time, and the code of eight digits for each of the three algorithms.
    #[test]
    fn p2_generates_the_codes_of_rfc_6238() {
        let secrets = [
            ("SHA1", "12345678901234567890"),
            ("SHA256", "12345678901234567890123456789012"),
            ("SHA512", "1234567890123456789012345678901234567890123456789012345678901234"),
        ];
        let vectors = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        for (nth, (algorithm, secret)) in secrets.iter().enumerate() {
            let secret = data_encoding::BASE32_NOPAD.encode(secret.as_bytes());
            let uri = format!("otpauth://totp/x:y?secret={secret}&algorithm={algorithm}&digits=8");
            let totp = TotpSecret::new(&uri).unwrap();
            for (time, codes) in vectors {
                assert_eq!(totp.code(totp.step_at(time * 1000)).expose(), codes[nth], "{algorithm} at {time}");
            }
        }
    }

    #[test]
    fn p2_odd_secrets_are_refused_without_being_shown() {
        let odd = [
            "",
            " ",
            "0189",
            "otpauth://totp/x",
            "otpauth://hotp/x?secret=GEZDGNBV",
            "otpauth://totp/x?secret=0189",
            "otpauth://totp/x?secret=GEZDGNBV&digits=10",
            "otpauth://totp/x?secret=GEZDGNBV&period=0",
            "otpauth://totp/x?secret=GEZDGNBV&period=99999999999999999999",
            "otpauth://totp/x?secret=&digits=6",
            "https://example.com/?secret=GEZDGNBV",
            "otpauth://totp/x?secret=GEZDGNBV&algorithm=MD5",
        ];
        for text in odd {
            let error = TotpSecret::new(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
            assert!(!error.to_string().contains("GEZDGNBV"), "{error}");
        }
    }

    #[test]
    fn p2_steps_begin_where_the_period_says() {
        let totp = TotpSecret::new("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&period=60").unwrap();
        assert_eq!(totp.step_at(119_999), 1);
        assert_eq!(totp.start_of(2), 120_000);
    }
}
