//! `[[usage]]` as written in the file and in an issued order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::filter::Filter;

/// The keys of a `[[usage]]`, unchecked. An issued order stores its mappings in this form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/billing.md and `Mapping` describe each key")]
pub struct MappingToml {
    pub meter: String,
    pub transformer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gap_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracked_states: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_gap_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carry_over: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_types: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_values: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_keys: Option<Vec<String>>,
}
