//! The suite on every engine.

use guildhall_store::{
    conformance::Engine,
    embedded::{Embedded, Options},
};

use crate::{
    etcd,
    support::{Disks, small},
};

async fn on_disk() -> Engine {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path().join("store"), Options::default()).unwrap();
    Engine::new(store, directory)
}

/// With segments and checkpoints so small that they change all the time.
async fn on_small_segments() -> Engine {
    let directories = Disks::default().directories();
    Engine::new(Embedded::open_in(directories, small()).unwrap(), ())
}

async fn on_etcd() -> Engine {
    let server = etcd::Server::start().await;
    Engine::new(server.client().await, server)
}

mod embedded_on_disk {
    guildhall_store::conformance_suite!(super::on_disk);
}

mod embedded_on_small_segments {
    guildhall_store::conformance_suite!(super::on_small_segments);
}

mod real_etcd {
    guildhall_store::conformance_suite!(super::on_etcd);
}
