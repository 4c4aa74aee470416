//! Where drafts and orders are asked for.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::Error;
use super::compute::{self, Computed, Plan};
use super::issued;
use crate::billing::Order;
use crate::billing::order::Record;
use crate::config::File;
use crate::db::Database;
use crate::lifecycle::{self, run_on_own_thread};
use crate::log::{self, AppendError, Appender, Claim, RecordedClaim};
use crate::projection::metering::Session;

/// Orders that one process computes at once; each takes a connection, memory and a core.
const PLACES: usize = 4;

/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(60);

/// How long one waits for the read model to know what is in the log.
pub(super) const CATCH_UP: Duration = Duration::from_secs(10);

/// How long a statement may take: whoever waits for the bill of a large tenant waits no longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// Computes drafts and issues orders.
#[derive(Clone)]
pub struct Desk {
    database: Database,
    file: Arc<File>,
    places: Arc<Semaphore>,
}

/// An order that is wanted.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose.
    pub tenant_id: String,
    /// Until when, not included.
    pub end: Timestamp,
    /// The time of asking.
    pub at: Timestamp,
    /// Whether it shall not wait for samples that are still on their way.
    pub is_forced: bool,
}

/// An order that is in the log now.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its id.
    pub order_id: Uuid,
    /// Where its event stands.
    pub position: i64,
    /// The order as JSON.
    pub text: String,
}

impl Desk {
    /// Opens when asked; `file` says what is billed.
    pub fn new(database: Database, file: Arc<File>) -> Self {
        Desk { database, file, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// What an order up to `end` would be now.
    ///
    /// # Errors
    ///
    /// When there is nothing to bill, or the database or the read model is away.
    pub async fn draft(&self, tenant_id: &str, end: Timestamp) -> Result<Order, Error> {
        let _place = self.place().await?;
        let (desk, tenant_id) = (self.clone(), tenant_id.to_owned());
        let thread = run_on_own_thread("draft", move || async move {
            let mut session = Session::open(&desk.database, PATIENCE).await?;
            session.catch_up(&desk.file, CATCH_UP).await?;
            let snapshot = session.snapshot(&desk.file).await?;
            let plan = compute::plan(&snapshot, &tenant_id, end).await?;
            Ok(compute::order(&snapshot, &desk.file, &plan, None).await?.order)
        });
        thread.await.unwrap_or_else(|_| Err(Error::broken("computing a draft panicked")))
    }

    /// Issues an order: all of it is in the log, or nothing. Nothing is, either, when this future is
    /// dropped before it could be appended.
    ///
    /// # Errors
    ///
    /// When it may not be issued, with the reason, or cannot be now.
    pub async fn issue(&self, ask: Ask) -> Result<Written, Error> {
        let _place = self.place().await?;
        let desk = self.clone();
        let thread =
            run_on_own_thread(
                "sales order",
                move || async move { desk.compute_and_write(&ask).await },
            );
        thread.await.unwrap_or_else(|_| Err(Error::broken("computing an order panicked")))
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Error> {
        let busy = || Error::NotYet("too many orders are being computed".to_owned());
        let place = tokio::time::timeout(TURN, self.places.acquire()).await;
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn compute_and_write(&self, ask: &Ask) -> Result<Written, Error> {
        let (plan, computed) = self.compute(ask).await?;
        self.write(&plan, &computed).await
    }

    async fn compute(&self, ask: &Ask) -> Result<(Plan, Computed), Error> {
        let mut session = Session::open(&self.database, PATIENCE).await?;
        session.catch_up(&self.file, CATCH_UP).await?;
        let snapshot = session.snapshot(&self.file).await?;
        let plan = compute::plan(&snapshot, &ask.tenant_id, ask.end).await?;
        let terms = &self.file.billing.terms;
        let settled = ask.end.checked_add(SignedDuration::from_secs(terms.settle_s.into()));
        let settled = settled.unwrap_or(Timestamp::MAX);
        if ask.at < settled && !ask.is_forced {
            return Err(Error::Settling(settled));
        }
        let order_id = issued::order_id(&plan.tenant_id, plan.span);
        let computed = compute::order(&snapshot, &self.file, &plan, Some(order_id)).await?;
        let unrated = computed.order.unrated_services();
        if !unrated.is_empty() && !terms.allow_unrated {
            return Err(Error::Unrated(unrated.into_iter().map(str::to_owned).collect()));
        }
        Ok((plan, computed))
    }

    /// The short transaction.
    async fn write(&self, plan: &Plan, computed: &Computed) -> Result<Written, Error> {
        let settings = issued::circumstances(&self.file);
        let record = Record::new(&computed.order, computed.basis.clone(), settings)
            .map_err(Error::broken)?;
        let now = lifecycle::now();
        let event = record.event(now).map_err(Error::broken)?;
        let claim = Claim {
            order_id: record.order_id,
            tenant_id: plan.tenant_id.clone(),
            from: plan.span.from,
            to: plan.span.to,
            follows: plan.claims.last().map(|last| last.position),
        };
        let mut appender = Appender::new(self.database.connect(None).await?).await?;
        match appender.append_order(&event, &claim, now).await {
            Ok(position) => {
                let text = record.order.get().to_owned();
                Ok(Written { order_id: record.order_id, position, text })
            }
            Err(AppendError::Claimed) => Err(self.covered(plan).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Which order was quicker.
    async fn covered(&self, plan: &Plan) -> Result<Error, Error> {
        let client = self.database.connect(None).await?;
        let claims = log::load_claims_of(&client, &plan.tenant_id).await?;
        let last = claims.last().ok_or_else(|| Error::broken("an order was refused by none"))?;
        let overlaps =
            |claim: &&RecordedClaim| claim.from < plan.span.to && plan.span.from < claim.to;
        let order_id = claims.iter().rev().find(overlaps).unwrap_or(last).order_id;
        Ok(Error::Covered { order_id, billed_to: last.to })
    }
}
