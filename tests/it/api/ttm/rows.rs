//! Instances in the read model, for tests where nobody projects.

use crate::support::server::Server;

pub const API: &str = "/ttm/api/v1.0";

/// Inserts three instances: `i-1` began and runs two recipes, `i-2` has ended, and only Nova knows `i-3`.
pub async fn insert_instances(server: &Server) {
    server
        .execute(
            "INSERT INTO timing.instance (instance_id, name, first_at, last_at, last_id, last_kind,
                 ttm_first_at, bootstrap_started_at, ttm_end_at, ttm_end_time, reported_at)
             VALUES ('i-1', 'vm1', '2013-11-07T23:49:56.9066Z', '2013-11-07T23:50:00Z', gen_random_uuid(), 'ttm.time_now',
                     '2013-11-07T23:49:56.9066Z', '2013-11-07T23:50:00Z', NULL, NULL, '2013-11-07T23:49:56.9066Z'),
                    ('i-2', NULL, '2013-11-07T22:00:00Z', '2013-11-07T22:50:00Z', gen_random_uuid(), 'ttm.metrics',
                     '2013-11-07T22:00:00Z', NULL, '2013-11-07T22:50:00Z', '2013-11-07T22:49:00', '2013-11-07T22:00:00Z'),
                    ('i-3', 'vm3', '2013-11-08T22:00:00Z', '2013-11-08T22:50:00Z', gen_random_uuid(), 'compute.instance.create.start',
                     NULL, NULL, NULL, NULL, NULL);
             INSERT INTO timing.recipe (instance_id, recipe_id, at, recipe, started_at, start_message, is_ttm)
             VALUES ('i-1', gen_random_uuid(), '2013-11-07T23:51:00Z', 'base::apt', '2013-11-07T23:51:00Z', 'go', true),
                    ('i-1', gen_random_uuid(), '2013-11-07T23:52:00Z', 'web', '2013-11-07T23:52:00Z', NULL, true)",
        )
        .await;
}

/// Returns the kinds of the logged events.
pub async fn kinds(server: &Server) -> Vec<String> {
    let log = server.ok("/v1/events").await;
    let items = log["items"].as_array().unwrap();
    items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}
