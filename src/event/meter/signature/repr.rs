//! Single values as Python's `repr` and `str` print them.

/// Writes a number, a boolean or `None`. The numbers stay as they are: Python wrote those of the message
/// by the same rule.
pub(super) fn write_scalar(sent: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(match sent {
        b"null" => b"None",
        b"true" => b"True",
        b"false" => b"False",
        b"NaN" => b"nan",
        b"Infinity" => b"inf",
        b"-Infinity" => b"-inf",
        number => number,
    });
}

/// Like [`write_scalar`], but as Python 2's `str`: floats with at most 12 digits.
pub(super) fn write_scalar_12(sent: &[u8], out: &mut Vec<u8>) {
    let is_float = sent.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    match std::str::from_utf8(sent).ok().filter(|_| is_float).and_then(|text| text.parse().ok()) {
        Some(float) => out.extend_from_slice(format_float_12(float).as_bytes()),
        None => write_scalar(sent, out),
    }
}

/// Formats a float with at most 12 digits: plain from 0.0001 up to 11 digits before the point, else with
/// an exponent.
fn format_float_12(float: f64) -> String {
    let scientific = format!("{float:.11e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return if float.is_nan() { "nan".to_owned() } else { scientific };
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if !(-4..11).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(digits), exponent.unsigned_abs());
    }
    let plain = trimmed(&format!("{float:.*}", (11 - exponent).unsigned_abs() as usize));
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// Writes bytes in quotes: single ones, unless the bytes contain single quotes and no double ones.
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    out.push(quote);
    for &byte in bytes {
        match byte {
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ if byte == quote => out.extend_from_slice(&[b'\\', quote]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl Fn(&[u8], &mut Vec<u8>), value: &[u8]) -> String {
        let mut out = Vec::new();
        print(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bytes_are_quoted_as_python_quotes_them() {
        for (text, quoted) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("\"", "'\"'"),
            ("'\"", "'\\'\"'"),
            ("\\ \t\n\r", "'\\\\ \\t\\n\\r'"),
            ("\0\u{1f}\u{7f}ü", "'\\x00\\x1f\\x7f\\xc3\\xbc'"),
        ] {
            assert_eq!(printed(write_bytes, text.as_bytes()), quoted);
        }
    }

    #[test]
    fn scalars_have_pythons_names() {
        for (sent, named) in [
            ("null", "None"),
            ("true", "True"),
            ("false", "False"),
            ("NaN", "nan"),
            ("Infinity", "inf"),
            ("-Infinity", "-inf"),
            ("1e-05", "1e-05"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(printed(write_scalar, sent.as_bytes()), named);
        }
    }

    /// As `str` of CPython 2.7.18 prints them.
    #[test]
    fn python_2_prints_twelve_digits() {
        for (sent, printed_) in [
            ("1000.6390681405442", "1000.63906814"),
            ("0.1", "0.1"),
            ("10.0", "10.0"),
            ("-2.5", "-2.5"),
            ("0.0", "0.0"),
            ("-0.0", "-0.0"),
            ("99999999999.0", "99999999999.0"),
            ("99999999999.9", "99999999999.9"),
            ("99999999999.99", "1e+11"),
            ("100000000000.0", "1e+11"),
            ("123456789012.0", "1.23456789012e+11"),
            ("1e+16", "1e+16"),
            ("0.0001", "0.0001"),
            ("0.00012345678901234", "0.000123456789012"),
            ("0.00001", "1e-05"),
            ("1e-05", "1e-05"),
            ("1.5e-100", "1.5e-100"),
            ("1e400", "inf"),
            ("12", "12"),
            ("null", "None"),
        ] {
            assert_eq!(printed(write_scalar_12, sent.as_bytes()), printed_, "{sent}");
        }
    }
}
