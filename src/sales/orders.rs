//! Issues orders and computes drafts.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::Error;
use super::compute::{self, ComputedOrder, Plan};
use super::division::window_end;
use super::issued;
use super::snapshot::open_reader;
use crate::billing::Order;
use crate::billing::order::Record;
use crate::config::File;
use crate::db::Database;
use crate::lifecycle::{self, run_on_own_thread};
use crate::log::{self, AppendError, Appender, Claim, RecordedClaim};

/// Orders that one process computes at once; each takes a connection, memory and a core.
const ORDERS_MAX: usize = 4;

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// Computes drafts and issues orders.
#[derive(Clone)]
pub struct SalesOrders {
    database: Database,
    file: Arc<File>,
    turns: Arc<Semaphore>,
}

/// A request for an order.
#[derive(Clone, Debug)]
pub struct OrderRequest {
    /// The tenant to bill.
    pub tenant_id: String,
    /// The end of the time to bill, not included.
    pub end: Timestamp,
    /// The time of the request.
    pub at: Timestamp,
    /// Whether to issue the order although samples may still be on their way.
    pub is_forced: bool,
}

/// An order that is in the log now.
#[derive(Clone, Debug)]
pub struct IssuedOrder {
    /// The order's id.
    pub order_id: Uuid,
    /// The position of its event.
    pub position: i64,
    /// The order as JSON.
    pub text: String,
}

impl SalesOrders {
    /// Creates the service. It connects when a request arrives; `file` contains the mappings and rates.
    pub fn new(database: Database, file: Arc<File>) -> Self {
        SalesOrders { database, file, turns: Arc::new(Semaphore::new(ORDERS_MAX)) }
    }

    /// Computes the order up to `end` as it would be issued now.
    ///
    /// # Errors
    ///
    /// When there is nothing to bill, the database does not answer, or the read model is not ready.
    pub async fn draft(&self, tenant_id: &str, end: Timestamp) -> Result<Order, Error> {
        let _turn = self.turn().await?;
        let (orders, tenant_id) = (self.clone(), tenant_id.to_owned());
        let thread = run_on_own_thread("draft", move || async move {
            let mut reader = open_reader(&orders.database, &orders.file).await?;
            let snapshot = reader.snapshot(&orders.file).await?;
            let plan = compute::plan(&snapshot, &tenant_id, end).await?;
            Ok(compute::order(&snapshot, &orders.file, &plan, None).await?.order)
        });
        thread.await.unwrap_or_else(|_| Err(Error::broken("computing a draft panicked")))
    }

    /// Issues an order: the whole order is in the log, or nothing of it, also if this future is dropped.
    ///
    /// # Errors
    ///
    /// When the order may not be issued, with the reason, or cannot be issued now.
    pub async fn issue(&self, request: OrderRequest) -> Result<IssuedOrder, Error> {
        let _turn = self.turn().await?;
        let orders = self.clone();
        let thread = run_on_own_thread("sales order", move || async move {
            orders.compute_and_append(&request).await
        });
        thread.await.unwrap_or_else(|_| Err(Error::broken("computing an order panicked")))
    }

    /// Waits until fewer than [`ORDERS_MAX`] orders are being computed.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        let busy =
            || Error::NotYet("too many orders are being computed: try again later".to_owned());
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turns.acquire()).await;
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn compute_and_append(&self, request: &OrderRequest) -> Result<IssuedOrder, Error> {
        let (plan, computed) = self.compute(request).await?;
        self.append(&plan, &computed).await
    }

    async fn compute(&self, request: &OrderRequest) -> Result<(Plan, ComputedOrder), Error> {
        let mut reader = open_reader(&self.database, &self.file).await?;
        let snapshot = reader.snapshot(&self.file).await?;
        let plan = compute::plan(&snapshot, &request.tenant_id, request.end).await?;
        let terms = &self.file.billing.terms;
        // The usage of a window that the end divides is complete when the window is over.
        let end = window_end(request.end);
        let settled = end.checked_add(SignedDuration::from_secs(terms.settle_s.into()));
        let settled = settled.unwrap_or(Timestamp::MAX);
        if request.at < settled && !request.is_forced {
            return Err(Error::Settling(settled));
        }
        let order_id = issued::order_id(&plan.tenant_id, plan.span);
        let computed = compute::order(&snapshot, &self.file, &plan, Some(order_id)).await?;
        let unrated = computed.order.services_without_rate();
        if !unrated.is_empty() && !terms.allow_unrated {
            return Err(Error::Unrated(unrated));
        }
        Ok((plan, computed))
    }

    /// Appends the order's event and the claim on its time in one short transaction.
    async fn append(&self, plan: &Plan, computed: &ComputedOrder) -> Result<IssuedOrder, Error> {
        let settings = issued::settings_at_issue(&self.file);
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
                Ok(IssuedOrder { order_id: record.order_id, position, text })
            }
            Err(AppendError::Claimed) => Err(self.covered(plan).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the error that names the order that was issued first.
    async fn covered(&self, plan: &Plan) -> Result<Error, Error> {
        let client = self.database.connect(None).await?;
        let claims = log::load_claims_of(&client, &plan.tenant_id).await?;
        let last = claims.last().ok_or_else(|| {
            Error::broken("the log refused an order, and has no other of the tenant")
        })?;
        let overlaps =
            |claim: &&RecordedClaim| claim.from < plan.span.to && plan.span.from < claim.to;
        let order_id = claims.iter().rev().find(overlaps).unwrap_or(last).order_id;
        Ok(Error::Covered { order_id, billed_to: last.to })
    }
}
