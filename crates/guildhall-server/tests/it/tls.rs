//! The API under TLS, and a certificate that changes while it is served.

use std::path::Path;

use guildhall_api::client::{Client, ClientOptions};

use crate::support::{node_with, until};

/// Writes a pair for 127.0.0.1 that trusts itself.
fn write(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
}

fn client(url: &str, authorities: &Path) -> Client {
    let mut options = ClientOptions::new([url]);
    options.ca = Some(authorities.to_owned());
    Client::new(options).unwrap()
}

#[tokio::test]
async fn a_changed_certificate_is_shown_to_new_connections() {
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    write(folder);
    let node = node_with(|builder| {
        builder.configure(|settings| {
            settings.api.tls_certificate = Some(folder.join("tls.crt"));
            settings.api.tls_key = Some(folder.join("tls.key"));
            settings.api.tls_reload = "10ms".parse().unwrap();
        })
    })
    .await;
    let url = format!("https://{}", node.api());
    let before = folder.join("before.crt");
    std::fs::copy(folder.join("tls.crt"), &before).unwrap();
    assert!(client(&url, &before).status().await.unwrap().ready);

    write(folder);
    let after = folder.join("tls.crt");
    until("the new certificate", async || {
        client(&url, &after).status().await.ok()
    })
    .await;
    assert!(
        client(&url, &before).status().await.is_err(),
        "the one from before is gone"
    );
    let plain = Client::new(ClientOptions::new([format!("http://{}", node.api())])).unwrap();
    assert!(
        plain.status().await.is_err(),
        "nothing is said in the clear"
    );
    node.platform.stop().await;
}
