//! `[export]` of the TOML file: which samples go where.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Secret;

/// `[export]`: the table in another database that `stackledger export` keeps up to date.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Export {
    /// The other database; `EXPORT_URL` and `--to` go before it.
    pub url: Option<Secret>,
    /// The table, `name` or `schema.name`.
    pub table: String,
    /// Seconds between two looks at what is new.
    pub interval_s: u64,
    /// Samples in one transaction at most; all samples of one event are in one.
    pub batch: usize,
    /// A sample that any of them selects is exported; none: every sample.
    pub select: Vec<Select>,
}

/// One filter and the meters it goes with: what is given has to hold, all of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Select {
    /// The sample is of one of these projects.
    pub project_id: Option<Vec<String>>,
    /// The sample is of one of these resources.
    pub resource_id: Option<Vec<String>>,
    /// Its metadata hold these values; a name may lead into objects by dots.
    pub metadata: BTreeMap<String, Scalar>,
    /// Its meter is one of these; `*` is any text, `?` any one character.
    pub meters: Option<Vec<String>>,
}

/// A value that metadata are compared with: JSON's text of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Scalar(text)),
            toml::Value::Integer(number) => Ok(Scalar(number.to_string())),
            toml::Value::Boolean(flag) => Ok(Scalar(flag.to_string())),
            other => Err(serde::de::Error::custom(format!(
                "a text, a whole number or true or false is accepted, not {other}"
            ))),
        }
    }
}

/// Names longer than that leave no room for the one of the synchronisation point.
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
    /// What is wrong with it, in one clause; `None` when nothing is.
    pub(super) fn fault(&self) -> Option<String> {
        if !self.table.split('.').all(is_name) || self.table.split('.').count() > 2 {
            return Some(format!(
                "export.table = {:?}: a name or schema.name is accepted, each of a-z, 0-9 and _, \
                 at most {NAME_MAX} characters",
                self.table
            ));
        }
        if !(1..=86_400).contains(&self.interval_s) {
            return Some(format!(
                "export.interval_s = {}: a whole number from 1 to 86400 is accepted",
                self.interval_s
            ));
        }
        if !(1..=50_000).contains(&self.batch) {
            return Some(format!(
                "export.batch = {}: a whole number from 1 to 50000 is accepted",
                self.batch
            ));
        }
        self.select.iter().find_map(Select::fault)
    }
}

impl Select {
    /// An empty list would select nothing, which nobody means.
    fn fault(&self) -> Option<String> {
        let lists = [
            ("project_id", &self.project_id),
            ("resource_id", &self.resource_id),
            ("meters", &self.meters),
        ];
        let empty = lists.into_iter().find(|(_, list)| list.as_ref().is_some_and(Vec::is_empty));
        empty.map(|(name, _)| {
            format!("export.select.{name} = []: name some, or leave it out to select all")
        })
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
        export.fault().map_or(Ok(export), Err)
    }

    #[test]
    fn absent_keys_keep_their_defaults() {
        assert_eq!(read("").unwrap(), Export::default());
        assert_eq!(read("batch = 10").unwrap().table, "meter_samples");
        assert!(read("table = 'bi.samples_2'").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
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
            ("[[select]]\nmetadata = { a = [1] }", "a text, a whole number"),
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
        let select = &export.select[0];
        assert_eq!(select.project_id.as_deref(), Some(&["p".to_owned()][..]));
        assert_eq!(select.metadata["flavor.name"], Scalar("m1.small".into()));
        assert_eq!(select.metadata["vcpus"], Scalar("2".into()));
        assert_eq!(select.metadata["ephemeral"], Scalar("false".into()));
    }
}
