//! The orders of all tenants of a simulated cloud equal those of an independent computation.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stackledger::simulate::{MeteringOptions, Options, plan};

use super::world::*;
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;
use crate::support::{cloud, is_long};

const HOUR_US: i64 = 3_600_000_000;

struct Sample {
    at: i64,
    volume: i128,
    metadata: Value,
}

/// Tenant, resource, meter.
type Series = (String, String, String);

async fn samples(server: &Server) -> BTreeMap<Series, Vec<Sample>> {
    let rows = server
        .sql
        .query(
            "SELECT project_id, resource_id, counter_name, \"timestamp\", round(counter_volume)::text, body
             FROM metering.sample LEFT JOIN metering.metadata USING (metadata_id)
             WHERE project_id IS NOT NULL ORDER BY \"timestamp\"",
            &[],
        )
        .await
        .unwrap();
    let mut all = BTreeMap::<Series, Vec<Sample>>::new();
    for row in &rows {
        let metadata: Option<&str> = row.get(5);
        all.entry((row.get(0), row.get(1), row.get(2))).or_default().push(Sample {
            at: row.get::<_, Timestamp>(3).as_microsecond(),
            volume: row.get::<_, &str>(4).parse().unwrap(),
            metadata: metadata
                .map_or(Value::Null, |metadata| serde_json::from_str(metadata).unwrap()),
        });
    }
    all
}

/// The usage of a tenant in `from..to`, by resource and service: the volume as a whole number, the divisor
/// that makes it one in the unit of the rate, and whether it is rounded up.
fn used(
    samples: &BTreeMap<Series, Vec<Sample>>,
    tenant: &str,
    from: i64,
    to: i64,
) -> BTreeMap<(String, String), (i128, i128, bool)> {
    let mut used = BTreeMap::new();
    let mut add = |id: &str, service: String, volume: i128, parts: i128, ceil: bool| {
        used.entry((id.to_owned(), service)).or_insert((0, parts, ceil)).0 += volume;
    };
    for ((_, id, meter), all) in samples.iter().filter(|((of, ..), _)| of == tenant) {
        let mut windows = BTreeMap::<i64, Vec<&Sample>>::new();
        for sample in all.iter().filter(|it| from <= it.at && it.at < to) {
            windows.entry(sample.at / HOUR_US).or_default().push(sample);
        }
        let max = |of: &[&Sample]| of.iter().map(|it| it.volume).max().unwrap();
        match meter.as_str() {
            "vcpus" => {
                // The states come from all meters of the instance.
                let mut states: Vec<&Sample> = samples
                    .iter()
                    .filter(|((of, other, _), _)| of == tenant && other == id)
                    .flat_map(|(_, all)| all)
                    .filter(|it| it.metadata["status"].is_string())
                    .collect();
                states.sort_by_key(|it| it.at);
                for (index, sample) in states.iter().enumerate() {
                    let next = states.get(index + 1).map_or(i64::MAX, |next| next.at);
                    let Some(measured) = all.iter().rfind(|it| it.at <= sample.at) else {
                        continue;
                    };
                    let held = (sample.at + HOUR_US / 2).min(measured.at + 4_200_000_000);
                    let end = next.min(held).min(to);
                    let tracked = ["active", "building", "paused", "rescued", "resized"];
                    if end > sample.at.max(from)
                        && tracked.contains(&sample.metadata["status"].as_str().unwrap())
                    {
                        let flavor = sample.metadata["flavor"]["name"].as_str().unwrap().to_owned();
                        add(id, flavor, (end - sample.at.max(from)).into(), HOUR_US.into(), true);
                    }
                }
            }
            "disk.root.size" => {
                for of in windows.values() {
                    let images: Vec<&str> =
                        of.iter().filter_map(|it| it.metadata["image_ref"].as_str()).collect();
                    let size_of = |it: &&Sample| {
                        let disk = it.metadata["flavor"]["disk"].as_i64();
                        disk.or_else(|| it.metadata["root_gb"].as_i64())
                    };
                    let size = of.iter().filter_map(size_of).max();
                    if let Some(size) =
                        size.filter(|_| !images.is_empty() && !images.contains(&"None"))
                    {
                        add(&format!("{id}-root"), "b1.root".to_owned(), size.into(), 1, false);
                    }
                }
            }
            "volume.size" => {
                for of in windows.values() {
                    let kind = of.iter().rev().find_map(|it| it.metadata["volume_type"].as_str());
                    let service = kind.map_or("b1".to_owned(), |kind| format!("b1.{kind}"));
                    add(id, service, max(of), 1, false);
                }
            }
            "image.size" => windows
                .values()
                .for_each(|of| add(id, "i1.image".to_owned(), max(of), 1 << 30, false)),
            "storage.containers.objects.size" => {
                windows
                    .values()
                    .for_each(|of| add(id, "o1.standard".to_owned(), max(of), 1 << 30, false));
            }
            "ip.floating" => {
                windows.values().for_each(|_| add(id, "n1.ipv4".to_owned(), 1, 1, false))
            }
            "router" => {
                let mut hours: BTreeSet<i64> = windows.keys().copied().collect();
                // A state that extends into a window counts there, for 75 minutes at most.
                let held = all.iter().map(|it| (it.at / HOUR_US + 1, it.at + 4_500_000_000));
                for (first, end) in held {
                    hours.extend(
                        (first..)
                            .take_while(|hour| hour * HOUR_US < end)
                            .filter(|hour| from <= hour * HOUR_US && hour * HOUR_US < to),
                    );
                }
                hours.iter().for_each(|_| add(id, "n1.router".to_owned(), 1, 1, false));
            }
            "network.incoming.bytes" | "network.outgoing.bytes" => {
                let service =
                    if meter.contains("incoming") { "n1.traffic-in" } else { "n1.traffic-out" };
                for pair in all.windows(2).filter(|pair| from <= pair[1].at && pair[1].at < to) {
                    let grown = pair[1].volume - pair[0].volume;
                    let grown = if grown < 0 { pair[1].volume } else { grown };
                    add(id, service.to_owned(), grown, 1 << 30, false);
                }
            }
            "bandwidth" => {
                for of in windows.values().flatten() {
                    add(id, "n1.label-traffic".to_owned(), of.volume, 1 << 30, false);
                }
            }
            _ => {}
        }
    }
    used
}

/// Returns the amount of a volume at a price, in millionths, rounded half up.
fn amount((volume, parts, ceil): (i128, i128, bool), price: &str) -> i128 {
    let (whole, decimals) = price.split_once('.').unwrap_or((price, ""));
    let digits: i128 = format!("{whole}{decimals}").parse().unwrap();
    let (volume, parts) = if ceil { ((volume + parts - 1) / parts, 1) } else { (volume, parts) };
    let divisor = parts * 10_i128.pow(decimals.len() as u32);
    (volume * digits * 2_000_000 + divisor) / (divisor * 2)
}

fn us(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_microsecond()
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_a_cloud_come_to_what_an_independent_computation_comes_to() {
    let (projects, resources, samples_, days) =
        if is_long() { (100, 2000, 3_000_000, 30) } else { (4, 40, 8_000, 2) };
    let end: Timestamp = "2026-11-03T00:00:00Z".parse().unwrap();
    let cloud = plan(&Options {
        instances: 1,
        metering: MeteringOptions {
            samples: samples_,
            resources: Some(resources),
            ..MeteringOptions::default()
        },
        projects: Some(projects),
        duration: Duration::from_secs(days * 86_400),
        seed: 4,
        duplicates_percent: 5,
        shuffle_percent: 20,
        ..Options::until(end)
    });
    let text = "[billing]\nallow_unrated = true";
    let server = Server::with_projector_of(file(text)).await;
    cloud::append(&cloud, &server.db).await;
    wait_until_applied(&server.db).await;
    let samples = samples(&server).await;
    let tenants: BTreeSet<&str> = samples.keys().map(|(tenant, ..)| tenant.as_str()).collect();
    assert!(tenants.len() > projects as usize / 2, "{tenants:?}");
    let prices: BTreeMap<String, String> = file(text)
        .billing
        .rates
        .iter()
        .map(|rate| (rate.service.clone(), rate.rate.to_string()))
        .collect();
    let mut services = BTreeSet::new();
    for tenant in &tenants {
        let mut reached = None;
        for day in ["2026-11-02", "2026-11-03"] {
            let order = server.made("/sales_order", json!({"tenant": tenant, "end": day})).await;
            if let Some(reached) = reached.replace(order["to"].clone()) {
                assert_eq!(order["from"], reached, "no gap, no overlap");
            }
            let used = used(&samples, tenant, us(&order["from"]), us(&order["to"]));
            let rated: BTreeMap<_, _> =
                used.iter().filter(|((_, service), _)| prices.contains_key(service)).collect();
            let expected: Vec<String> = rated
                .iter()
                .map(|((id, service), used)| {
                    let amount = amount(**used, &prices[service]);
                    format!("{id} {service} {}.{:06}", amount / 1_000_000, amount % 1_000_000)
                })
                .collect();
            let found = shown(&order["lines"], &["resource_id", "service", "amount"]);
            assert_eq!(found, expected, "{tenant} {day}");
            let total: i128 =
                rated.iter().map(|((_, service), used)| amount(**used, &prices[service])).sum();
            let cents = (total * 2 + 10_000) / 20_000;
            assert_eq!(
                order["total"],
                format!("{}.{:02}", cents / 100, cents % 100),
                "{tenant} {day}"
            );
            let unrated: Vec<String> = used
                .keys()
                .filter(|(_, service)| !prices.contains_key(service))
                .map(|(id, service)| format!("{id} {service}"))
                .collect();
            assert_eq!(shown(&order["unrated"], &["resource_id", "service"]), unrated);
            services.extend(found.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()));
        }
    }
    assert!(services.len() > 8, "{services:?}");
    // No usage is outside of all orders.
    let outside = "SELECT count(*) FROM metering.usage_window AS u WHERE service IS NOT NULL
        AND \"window\" < '2026-11-03T00:00:00Z' AND NOT EXISTS (
            SELECT FROM log.sales_order AS o
            WHERE o.tenant_id = u.project_id AND o.during @> u.\"window\")";
    assert_eq!(server.db.number(outside).await, 0);
    let report = server.verified(&file(text)).await;
    assert_eq!((report.same, report.fault), (2 * tenants.len(), None));
}
