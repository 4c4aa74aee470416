//! Distil's file of rates: `region | service | unit | rate`, one per line.

use super::price::Price;
use super::rates::Rate;

/// Reads the rates, each with its line number (from 1). Skips empty lines and lines that begin with `#`.
///
/// # Errors
///
/// The number of the first wrong line, and what the line must be.
pub fn read(text: &str) -> Result<Vec<(usize, Rate)>, (usize, String)> {
    let lines = text.lines().map(str::trim).enumerate().map(|(index, line)| (index + 1, line));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| Ok((number, read_line(line).map_err(|what| (number, what))?)))
        .collect()
}

fn read_line(line: &str) -> Result<Rate, String> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [region, service, unit, price] = fields[..] else {
        return Err(format!(
            "the line has {} fields; it must be `region | service | unit | rate`",
            fields.len()
        ));
    };
    for (name, field) in [("service", service), ("unit", unit)] {
        if field.is_empty() {
            return Err(format!(
                "the {name} is empty; the line must be `region | service | unit | rate`"
            ));
        }
    }
    Ok(Rate {
        service: service.to_owned(),
        unit: unit.to_owned().into(),
        rate: price.parse::<Price>().map_err(|what| format!("the rate {what}"))?.0,
        region: (!region.is_empty()).then(|| region.to_owned()),
        from: None,
        to: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rates() {
        let rates =
            read("nz_1 | m1.small | hour | 0.044\n\n# comment\n | b1 |gigabyte|5\n").unwrap();
        let [(1, small), (4, volume)] = &rates[..] else { panic!("{rates:?}") };
        assert_eq!(small.region.as_deref(), Some("nz_1"));
        assert_eq!(
            (small.service.as_str(), small.rate.to_string()),
            ("m1.small", "0.044".to_owned())
        );
        assert_eq!(
            (volume.region.as_deref(), volume.unit.to_string()),
            (None, "gigabyte".to_owned())
        );
    }

    #[test]
    fn wrong_lines_are_refused_by_their_number() {
        let price = |text| {
            format!(
                "the rate {text:?} must be a decimal number of at least 0 with at most 28 digits, \
                 such as \"0.044\""
            )
        };
        for (line, expected) in [
            (
                "a | b | hour",
                "the line has 3 fields; it must be `region | service | unit | rate`".to_owned(),
            ),
            (
                "a | | hour | 1",
                "the service is empty; the line must be `region | service | unit | rate`"
                    .to_owned(),
            ),
            (
                "a | b | | 1",
                "the unit is empty; the line must be `region | service | unit | rate`".to_owned(),
            ),
            ("a | b | hour | x", price("x")),
            ("a | b | hour | -1", price("-1")),
            ("a | b | hour | 1e2", price("1e2")),
            (
                "a | b | hour | 1234567890.12345678901234567890",
                price("1234567890.12345678901234567890"),
            ),
        ] {
            let text = format!("a | ok | hour | 1\n{line}");
            assert_eq!(read(&text).unwrap_err(), (2, expected));
        }
    }
}
