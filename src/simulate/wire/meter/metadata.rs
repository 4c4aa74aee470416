//! `resource_metadata`: the values that each pollster adds about the resource.

use serde::Serialize;
use uuid::Uuid;

use super::BatchMessage;
use crate::simulate::meters::{self, Kind, Part, VOLUME_TYPES, disk_name};

const IMAGES_URL: &str = "http://10.0.0.4:9292/images";

/// The network of the floating IPs.
const EXTERNAL_NETWORK: Uuid = Uuid::from_u128(0x9a3f_6c1e_27d4_4b0d_8e55_1f60_aa7c_42e9);

/// The metadata of a resource. Fields are in the senders' order.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Metadata<'a> {
    Instance(Box<Instance<'a>>),
    Volume(Volume<'a>),
    Image(Image<'a>),
    FloatingIp(FloatingIp<'a>),
    Router(Router<'a>),
    Label(Label<'a>),
    Container(Container),
}

/// The metadata of an instance, as the compute agent reads it from libvirt.
#[derive(Serialize)]
pub(super) struct Instance<'a> {
    display_name: &'a str,
    /// The name of the domain, or of the device if a port is measured.
    name: String,
    instance_id: Uuid,
    instance_type: &'a str,
    /// Nova's `hostId`, which differs between the projects on one host.
    host: String,
    instance_host: &'a str,
    flavor: Flavor<'a>,
    /// The state in Nova's terms.
    status: &'a str,
    /// The state in libvirt's terms.
    state: &'a str,
    task_state: &'a str,
    architecture: &'a str,
    image: Option<InstanceImage<'a>>,
    image_ref: Option<Uuid>,
    image_ref_url: Option<String>,
    vcpus: u32,
    memory_mb: u32,
    disk_gb: u32,
    ephemeral_gb: u32,
    root_gb: u32,
    user_metadata: UserMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_name: Option<String>,
    #[serde(flatten)]
    port: Option<Port>,
}

#[derive(Serialize)]
struct Flavor<'a> {
    id: &'a str,
    name: &'a str,
    vcpus: u32,
    ram: u32,
    disk: u32,
    ephemeral: u32,
    swap: u32,
}

#[derive(Serialize)]
struct InstanceImage<'a> {
    id: Uuid,
    name: &'a str,
    links: [Link<'a>; 1],
}

#[derive(Serialize)]
struct Link<'a> {
    rel: &'a str,
    href: String,
}

#[derive(Serialize)]
struct UserMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    billing: Option<String>,
}

#[derive(Serialize)]
struct Port {
    mac: String,
    fref: Option<String>,
    parameters: Empty,
    vnic_name: String,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
pub(super) struct Volume<'a> {
    name: String,
    status: &'a str,
    volume_type: &'a str,
    volume_type_id: &'a str,
    availability_zone: &'a str,
    #[serde(rename = "os-vol-host-attr:host")]
    host: &'a str,
    migration_status: Option<&'a str>,
    attachments: Vec<Attachment<'a>>,
    snapshot_id: Option<&'a str>,
    source_volid: Option<&'a str>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    server_id: Uuid,
    volume_id: Uuid,
    device: &'a str,
    host_name: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Image<'a> {
    status: &'a str,
    visibility: &'a str,
    name: &'a str,
    container_format: &'a str,
    disk_format: &'a str,
    min_disk: u32,
    min_ram: u32,
    protected: bool,
    checksum: Option<&'a str>,
    tags: [&'a str; 0],
}

#[derive(Serialize)]
pub(super) struct FloatingIp<'a> {
    router_id: Option<Uuid>,
    status: &'a str,
    floating_network_id: Uuid,
    fixed_ip_address: Option<&'a str>,
    port_id: Option<Uuid>,
    floating_ip_address: &'a str,
}

/// The metadata of a router, from the notification of Neutron's usage audit.
#[derive(Serialize)]
pub(super) struct Router<'a> {
    id: Uuid,
    name: String,
    tenant_id: &'a str,
    status: &'a str,
    admin_state_up: bool,
    event_type: &'a str,
    host: &'a str,
}

/// The metadata of a label, from the notification of its traffic since the last one.
#[derive(Serialize)]
pub(super) struct Label<'a> {
    label_id: Uuid,
    tenant_id: &'a str,
    bytes: String,
    event_type: &'a str,
    host: &'a str,
}

#[derive(Serialize)]
pub(super) struct Container {
    storage_policy: &'static str,
}

impl<'a> BatchMessage<'a> {
    pub(super) fn metadata(&self, sample: &meters::Sample<'a>) -> Metadata<'a> {
        let resource = sample.resource;
        let project = &self.cloud.projects[resource.project];
        let is_up = resource.rhythm.is_up(sample.cycle);
        match &resource.kind {
            Kind::Instance(instance) => {
                Metadata::Instance(Box::new(self.instance(sample, instance)))
            }
            Kind::Volume(volume) => {
                let (volume_type, volume_type_id) = VOLUME_TYPES[volume.volume_type];
                Metadata::Volume(Volume {
                    name: format!("volume-{}", resource.number),
                    status: if volume.server.is_some() { "in-use" } else { "available" },
                    volume_type,
                    volume_type_id,
                    availability_zone: "nova",
                    host: "cinder-01@lvm#lvm",
                    migration_status: None,
                    attachments: Vec::from_iter(volume.server.map(|server_id| Attachment {
                        server_id,
                        volume_id: resource.id,
                        device: "/dev/vdc",
                        host_name: None,
                    })),
                    snapshot_id: None,
                    source_volid: None,
                })
            }
            Kind::Image(image) => Metadata::Image(Image {
                status: "active",
                visibility: "private",
                name: &image.name,
                container_format: "bare",
                disk_format: "qcow2",
                min_disk: 0,
                min_ram: 0,
                protected: false,
                checksum: None,
                tags: [],
            }),
            Kind::FloatingIp { address } => Metadata::FloatingIp(FloatingIp {
                router_id: None,
                status: if is_up { "ACTIVE" } else { "DOWN" },
                floating_network_id: EXTERNAL_NETWORK,
                fixed_ip_address: is_up.then_some("10.0.0.9"),
                port_id: is_up.then_some(resource.id),
                floating_ip_address: address,
            }),
            Kind::Router => Metadata::Router(Router {
                id: resource.id,
                name: format!("router-{}", resource.number),
                tenant_id: &project.id,
                status: "ACTIVE",
                admin_state_up: true,
                event_type: "router.exists",
                host: "network.control-01",
            }),
            Kind::Label => Metadata::Label(Label {
                label_id: resource.id,
                tenant_id: &project.id,
                bytes: sample.quantity.to_string(),
                event_type: "l3.meter",
                host: "metering.control-01",
            }),
            Kind::Container(_) => Metadata::Container(Container { storage_policy: "Policy-0" }),
        }
    }

    fn instance(
        &self,
        sample: &meters::Sample<'a>,
        instance: &'a meters::Instance,
    ) -> Instance<'a> {
        let (cloud, resource) = (self.cloud, sample.resource);
        let (flavor, host) = (&cloud.flavors[instance.flavor], &cloud.hosts[instance.host]);
        let image = instance.image.map(|image| &cloud.images[image]);
        let is_up = resource.rhythm.is_up(sample.cycle);
        let url = |id| format!("{IMAGES_URL}/{id}");
        let disk_gb = flavor.root_gb + flavor.ephemeral_gb;
        Instance {
            display_name: &instance.name,
            name: if sample.part == Part::Port { resource.tap() } else { resource.domain() },
            instance_id: resource.id,
            instance_type: flavor.name,
            host: format!("{}{:024x}", cloud.projects[resource.project].id, instance.host),
            instance_host: host,
            flavor: Flavor {
                id: &flavor.id,
                name: flavor.name,
                vcpus: flavor.vcpus,
                ram: flavor.memory_mb,
                disk: disk_gb,
                ephemeral: flavor.ephemeral_gb,
                swap: 0,
            },
            status: if is_up { "active" } else { "stopped" },
            state: if is_up { "running" } else { "shutdown" },
            task_state: "",
            architecture: "x86_64",
            image: image.map(|image| InstanceImage {
                id: image.id,
                name: image.name,
                links: [Link { rel: "bookmark", href: url(image.id) }],
            }),
            image_ref: image.map(|image| image.id),
            image_ref_url: image.map(|image| url(image.id)),
            vcpus: flavor.vcpus,
            memory_mb: flavor.memory_mb,
            disk_gb,
            ephemeral_gb: flavor.ephemeral_gb,
            root_gb: flavor.root_gb,
            user_metadata: UserMetadata {
                billing: Some(resource.number % 3)
                    .filter(|department| *department > 0)
                    .map(|department| format!("dept-{department}")),
            },
            cpu_number: (sample.meter.name == "cpu").then_some(flavor.vcpus),
            disk_name: match sample.part {
                Part::Disk(disk) => Some(disk_name(disk)),
                Part::Whole | Part::Port => None,
            },
            port: (sample.part == Part::Port).then(|| Port {
                mac: mac(resource.id),
                fref: None,
                parameters: Empty {},
                vnic_name: resource.tap(),
            }),
        }
    }
}

fn mac(id: Uuid) -> String {
    let [.., a, b, c] = *id.as_bytes();
    format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}")
}
