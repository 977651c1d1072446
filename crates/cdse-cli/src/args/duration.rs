//! Durations as people write them: `90s`, `5m`, `1h30m`, or plain seconds.

use std::time::Duration;

/// Longer than this nothing here lasts.
const LONGEST: u64 = 366 * 24 * 3600;

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    seconds(text)
        .filter(|seconds| *seconds <= LONGEST)
        .map(Duration::from_secs)
        .ok_or_else(|| "a duration is written like 90s, 5m or 1h30m".to_owned())
}

/// As [`parse`], but not nothing.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    parse(text).and_then(|length| if length.is_zero() { Err("it must be at least 1s".to_owned()) } else { Ok(length) })
}

fn seconds(text: &str) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (mut total, mut rest, mut last) = (0_u64, text, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 24 * 3600,
            _ => return None,
        };
        // Each unit once, the large ones first.
        if unit >= last {
            return None;
        }
        last = unit;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..)?;
    }
    (last != u64::MAX).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_durations() {
        for (text, expected) in [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1d1s", 86401)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(expected)), "{text}");
        }
        for text in [
            "",
            " ",
            "s",
            "-1",
            "1.5m",
            "5 m",
            "m5",
            "1s1m",
            "1m1m",
            "5x",
            "1h30",
            "99999999999999999999s",
            "9999d",
            "٣s",
            "NaN",
            "inf",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0s").is_err());
    }
}
