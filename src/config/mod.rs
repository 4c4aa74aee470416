//! The configuration: environment variables and the TOML file, read once at start into typed
//! sections. A wrong value is refused with the name of its setting, the value, and the values that
//! are accepted.

mod broker_url;
mod brokers;
mod error;
mod export;
mod file;
mod metering;
mod queues;
mod reports;
mod retention;
mod shown;
mod variable;
mod variables;

pub use error::ConfigError;
pub use export::{Export, SampleFilter, Scalar};
pub use file::{DEFAULTS, File};
pub use metering::{Metering, Pattern, PatternError};
pub use queues::{Queue, QueueType, Source};
pub use reports::Reports;
pub use retention::{PerfRetention, Retention, RetentionPeriod};
pub use shown::show;
pub use variable::{Fallback, Variable};
pub use variables::{Config, LogFormat, VARIABLES};
pub(crate) use variables::{
    METERING_SECRET, READ_DATABASE_URL, STACKLEDGER_TOKEN, STACKLEDGER_URL,
};
