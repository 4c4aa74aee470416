//! `[export]` of the TOML file: the samples that are exported, and the table they are written to.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::secret::ConnectionString;

/// `[export]`: the table in another database that `stackledger export` keeps up to date.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Export {
    /// The other database; `--to` and `EXPORT_URL` take precedence.
    pub url: Option<ConnectionString>,
    /// The table, `name` or `schema.name`.
    pub table: String,
    /// Seconds between two checks for new samples.
    pub interval_s: u64,
    /// Maximum number of samples in one transaction; the samples of one event are never divided.
    pub batch: usize,
    /// A sample has to match at least one of these filters; if there are none, every sample is exported.
    pub select: Vec<SampleFilter>,
}

/// A filter of samples. A sample matches if it meets every condition that is given.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct SampleFilter {
    /// The sample belongs to one of these projects.
    pub project_id: Option<Vec<String>>,
    /// The sample belongs to one of these resources.
    pub resource_id: Option<Vec<String>>,
    /// The sample's metadata contain these values. A dot in a name leads into an object.
    pub metadata: BTreeMap<String, Scalar>,
    /// The sample's meter matches one of these patterns: `*` is any text, `?` any one character.
    pub meters: Option<Vec<String>>,
}

/// A value that metadata are compared with, as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Scalar(text)),
            toml::Value::Integer(number) => Ok(Scalar(number.to_string())),
            toml::Value::Boolean(flag) => Ok(Scalar(flag.to_string())),
            other => Err(serde::de::Error::custom(format!(
                "a text, a whole number, true or false is accepted, not {other}"
            ))),
        }
    }
}

/// Longest accepted name, in characters: a longer one leaves no room for the suffix of the table that
/// holds the synchronisation point.
const NAME_MAX: usize = 58;

impl Default for Export {
    fn default() -> Self {
        Export {
            url: None,
            table: "meter_samples".to_owned(),
            interval_s: 60,
            batch: 5000,
            select: Vec::new(),
        }
    }
}

impl Export {
    /// Refuses values that the types accept but the export does not, with the reason in one clause.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.table.split('.').all(is_name) || self.table.split('.').count() > 2 {
            return Err(format!(
                "export.table = {:?}: a name or schema.name is accepted, each of a-z, 0-9 and _, \
                 at most {NAME_MAX} characters",
                self.table
            ));
        }
        if !(1..=86_400).contains(&self.interval_s) {
            return Err(format!(
                "export.interval_s = {}: a whole number from 1 to 86400 is accepted",
                self.interval_s
            ));
        }
        if !(1..=50_000).contains(&self.batch) {
            return Err(format!(
                "export.batch = {}: a whole number from 1 to 50000 is accepted",
                self.batch
            ));
        }
        self.select.iter().try_for_each(SampleFilter::check)
    }
}

impl SampleFilter {
    /// Refuses an empty list: it would match no sample, which nobody intends.
    fn check(&self) -> Result<(), String> {
        let lists = [
            ("project_id", &self.project_id),
            ("resource_id", &self.resource_id),
            ("meters", &self.meters),
        ];
        match lists.into_iter().find(|(_, list)| list.as_ref().is_some_and(Vec::is_empty)) {
            Some((name, _)) => Err(format!(
                "export.select.{name} = []: list at least one, or remove the key to select all"
            )),
            None => Ok(()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= NAME_MAX
        && chars.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Export, String> {
        let export: Export = toml::from_str(text).map_err(|error| error.to_string())?;
        export.check().map(|()| export)
    }

    #[test]
    fn absent_keys_keep_their_defaults() {
        assert_eq!(read("").unwrap(), Export::default());
        assert_eq!(read("batch = 10").unwrap().table, "meter_samples");
        assert!(read("table = 'bi.samples_2'").is_ok());
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (text, named) in [
            ("table = 'a.b.c'", "export.table"),
            ("table = 'Samples'", "export.table"),
            ("table = ''", "export.table"),
            ("table = 'a; drop table b'", "export.table"),
            ("interval_s = 0", "export.interval_s"),
            ("batch = 0", "export.batch"),
            ("batch = -1", "batch"),
            ("tabel = 'x'", "tabel"),
            ("[[select]]\nmeters = []", "export.select.meters"),
            ("[[select]]\nproject = ['a']", "project"),
            ("[[select]]\nmetadata = { a = [1] }", "a text, a whole number, true or false"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn filters_are_read_with_their_meters() {
        let text = "[[select]]\nproject_id = ['p']\nmeters = ['disk.*']\n\
                    metadata = { 'flavor.name' = 'm1.small', vcpus = 2, ephemeral = false }";
        let export = read(text).unwrap();
        let filter = &export.select[0];
        assert_eq!(filter.project_id.as_deref(), Some(&["p".to_owned()][..]));
        assert_eq!(filter.metadata["flavor.name"], Scalar("m1.small".into()));
        assert_eq!(filter.metadata["vcpus"], Scalar("2".into()));
        assert_eq!(filter.metadata["ephemeral"], Scalar("false".into()));
    }
}
