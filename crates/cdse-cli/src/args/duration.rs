//! Durations as people write them: `90s`, `5m`, `1h30m`, or plain seconds.

use std::time::Duration;

/// Nothing here lasts longer.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let seconds = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{text}s"));
    humantime::parse_duration(seconds.as_deref().unwrap_or(text))
        .ok()
        .filter(|length| *length <= LONGEST)
        .ok_or_else(|| "a duration is written like 90s, 5m or 1h30m".to_owned())
}

/// As [`parse`], but at least a second.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    let length = parse(text)?;
    if length < Duration::from_secs(1) { Err("it must be at least 1s".to_owned()) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_durations() {
        for (text, expected) in [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1d1s", 86401)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(expected)), "{text}");
        }
        let odd =
            ["", " ", "s", "-1", "1.5x", "m5", "5x", "1h30", "99999999999999999999s", "9999d", "٣s", "NaN", "inf"];
        for text in odd {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0s").is_err() && parse_positive("1ms").is_err());
    }

    #[test]
    fn cli2_no_duration_is_too_long() {
        cdse_fuzz::fuzz("small_texts", |data| {
            let length = parse(&String::from_utf8_lossy(data));
            assert!(length.as_ref().is_ok_and(|length| *length <= LONGEST) || length.is_err());
            length.map(|length| length.as_secs())
        });
    }
}
