//! The members of a deployment and what they need from each other, after the usual example of such systems:
//! a blog and its database.

use uuid::Uuid;

use crate::simulate::{options::DeploymentOptions, rng::Rng};

/// An instance of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: Uuid,
    pub(crate) assembly: &'static str,
    pub(crate) services: Vec<Service>,
    /// Names and values of the parameters that it provides to others.
    pub(crate) provides: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, Source)>,
}

/// The source of a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A constant.
    Given(String),
    /// A parameter that another member provides; the member's index.
    Parameter { member: u16, name: &'static str },
    /// The result of another service's configuration; the indexes of the member and the service.
    Service { member: u16, service: u16 },
}

const ASSEMBLIES: [&str; 5] = ["mysql", "wordpress", "memcached", "haproxy", "worker"];
const SERVICES: [&str; 3] = ["", "-monitoring", "-backup"];

/// Draws the members of a deployment. All others need the first one, the database, and each needs the one
/// before it.
pub(super) fn draw_members(options: DeploymentOptions, rng: &mut Rng) -> Vec<Member> {
    let count = options.instances.clamp(1, u16::MAX.into()) as u16;
    (0..count).map(|index| draw_member(index, options.services, rng)).collect()
}

fn draw_member(index: u16, services: u32, rng: &mut Rng) -> Member {
    // There is one database; the other assemblies take turns.
    let assembly = match usize::from(index) {
        0 => ASSEMBLIES[0],
        other => ASSEMBLIES[1 + (other - 1) % (ASSEMBLIES.len() - 1)],
    };
    let [_, _, c, d] = (rng.next() as u32).to_be_bytes();
    Member {
        id: rng.uuid(),
        assembly,
        services: (0..services.clamp(1, u16::MAX.into()) as u16)
            .map(|number| service_of(index, number, assembly))
            .collect(),
        provides: vec![
            ("ipaddress", format!("10.0.{c}.{d}")),
            ("hostname", format!("{assembly}-{index}.example")),
        ],
    }
}

/// Returns the service with this number of the member with this index.
fn service_of(member: u16, number: u16, assembly: &str) -> Service {
    let mut parameters = vec![("port".to_owned(), Source::Given((3_306 + number).to_string()))];
    let suffix = SERVICES.get(usize::from(number));
    let name = match suffix {
        Some(suffix) => format!("{assembly}{suffix}"),
        None => format!("{assembly}-{number}"),
    };
    match (member, number) {
        (0, 0) => {}
        // The first service of an instance waits for other instances, each further one for the one before.
        (_, 0) => {
            let database = Source::Parameter { member: 0, name: "ipaddress" };
            parameters.push(("mysql_ip".to_owned(), database));
            let service = Source::Service { member: member - 1, service: 0 };
            parameters.push((
                format!("{}_service", if member == 1 { "mysql" } else { "before" }),
                service,
            ));
        }
        (_, number) => {
            let service = Source::Service { member, service: number - 1 };
            parameters.push(("before".to_owned(), service));
        }
    }
    Service { name, parameters }
}
