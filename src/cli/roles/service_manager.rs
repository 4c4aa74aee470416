//! What the service manager is told, if one listens (systemd's `Type=notify`).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// Says that the process has started, and then gives signs of life as often as the manager wants them, until `stop`. A
/// process whose tasks are stuck gives none, and is started again.
pub(super) async fn keep_informed(stop: CancellationToken) {
    tell(NotifyState::Ready);
    match sd_notify::watchdog_enabled() {
        Some(limit) => {
            while stop.run_until_cancelled(tokio::time::sleep(pause(limit))).await.is_some() {
                tell(NotifyState::Watchdog);
            }
        }
        None => stop.cancelled().await,
    }
    tell(NotifyState::Stopping);
}

/// The pause between two signs of life, so that one may be late.
fn pause(limit: Duration) -> Duration {
    limit / 3
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("the service manager does not listen: {error}");
    }
}
