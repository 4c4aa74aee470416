//! Every query on the read model's tables.

mod facts;
mod list;

pub(super) use self::facts::{list_affected, load_facts, prefer_indexes};
pub use self::facts::{load_facts_of_deployment, load_facts_of_instance};
pub use self::list::{DeploymentFilter, DeploymentSummary, list_deployments};
