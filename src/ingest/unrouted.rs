//! Messages to an exchange of ours that are routed to no queue, for example because their key has a typing error: they
//! go to another exchange of ours, and from there to the log like any other.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::broker::{Management, UnroutedFate};
use crate::config::Source;

/// Pause between two looks: a policy may be deleted or added.
const PAUSE: Duration = Duration::from_secs(60);

/// What was said last about unrouted messages, which is not said again.
#[derive(Default)]
pub(super) struct LastStatement(Mutex<Option<String>>);

/// Keeps the unrouted messages of those of our exchanges that have an alternate exchange among the sources. Runs until it
/// is dropped.
pub(super) async fn watch(
    management: &Management,
    vhost: &str,
    sources: &[Source],
    said: &LastStatement,
) -> Infallible {
    loop {
        for source in sources.iter().filter(|source| source.ours) {
            let alternate = source.alternate_exchange();
            if sources.iter().any(|other| other.exchange == alternate) {
                keep(management, vhost, &source.exchange, &alternate, said).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn keep(
    management: &Management,
    vhost: &str,
    exchange: &str,
    alternate: &str,
    said: &LastStatement,
) {
    let reason = match management.keep_unrouted(vhost, exchange, alternate).await {
        Ok(UnroutedFate::Kept) => None,
        Ok(UnroutedFate::Dropped { policy }) => {
            Some(format!("the policy {policy} applies to it: add \"alternate-exchange\" there"))
        }
        Err(error) => Some(format!(
            "{error}; as an administrator, run: rabbitmqctl set_policy -p {vhost} --apply-to exchanges --priority -1 \
             {exchange}-unrouted '^{exchange}$' '{{\"alternate-exchange\":\"{alternate}\"}}'"
        )),
    };
    let mut said = said.0.lock().unwrap_or_else(PoisonError::into_inner);
    if *said != reason {
        match &reason {
            Some(reason) => tracing::warn!(
                "the broker drops what is published to the exchange {exchange} with a key that no queue is bound by: \
                 {reason}"
            ),
            None => tracing::info!("what the exchange {exchange} routes to no queue is kept"),
        }
    }
    *said = reason;
}
