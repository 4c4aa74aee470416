//! Who needs what of whom: after the example that comes with every such system, a blog and its
//! database.

use uuid::Uuid;

use super::Deploying;
use crate::simulate::rng::Rng;

/// One instance of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: Uuid,
    pub(crate) assembly: &'static str,
    pub(crate) services: Vec<Service>,
    /// Names and values of the parameters it gives to others.
    pub(crate) provides: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, Source)>,
}

/// Where the value of a parameter is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Given(String),
    /// What another member provides, by its place.
    Parameter {
        member: u16,
        name: &'static str,
    },
    /// How the configuration of another service ends.
    Service {
        member: u16,
        service: u16,
    },
}

const ASSEMBLIES: [&str; 5] = ["mysql", "wordpress", "memcached", "haproxy", "worker"];
const SERVICES: [&str; 3] = ["", "-monitoring", "-backup"];

/// The members of a deployment: all others need the first one, the database, and each needs the one
/// before it.
pub(super) fn members(deploying: Deploying, rng: &mut Rng) -> Vec<Member> {
    let count = deploying.instances.clamp(1, u16::MAX.into()) as u16;
    (0..count).map(|place| member(place, deploying.services, rng)).collect()
}

fn member(place: u16, services: u32, rng: &mut Rng) -> Member {
    let at = usize::from(place);
    // One database; the others take turns.
    let assembly = ASSEMBLIES[if at == 0 { 0 } else { 1 + (at - 1) % (ASSEMBLIES.len() - 1) }];
    let [_, _, c, d] = (rng.next() as u32).to_be_bytes();
    Member {
        id: rng.uuid(),
        assembly,
        services: (0..services.clamp(1, u16::MAX.into()) as u16)
            .map(|number| service(place, number, assembly))
            .collect(),
        provides: vec![
            ("ipaddress", format!("10.0.{c}.{d}")),
            ("hostname", format!("{assembly}-{place}.example")),
        ],
    }
}

fn service(place: u16, number: u16, assembly: &str) -> Service {
    let mut parameters = vec![("port".to_owned(), Source::Given((3_306 + number).to_string()))];
    let suffix = SERVICES.get(usize::from(number));
    let name = match suffix {
        Some(suffix) => format!("{assembly}{suffix}"),
        None => format!("{assembly}-{number}"),
    };
    match (place, number) {
        (0, 0) => {}
        // The first service of an instance waits for others' instances, the next for the one before.
        (_, 0) => {
            let database = Source::Parameter { member: 0, name: "ipaddress" };
            parameters.push(("mysql_ip".to_owned(), database));
            let service = Source::Service { member: place - 1, service: 0 };
            parameters.push((
                format!("{}_service", if place == 1 { "mysql" } else { "before" }),
                service,
            ));
        }
        (_, number) => {
            let service = Source::Service { member: place, service: number - 1 };
            parameters.push(("before".to_owned(), service));
        }
    }
    Service { name, parameters }
}
