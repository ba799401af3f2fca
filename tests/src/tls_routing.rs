//! How a browser reaches one of many replicas over TLS: the issuer's name resolves to that replica's address. All replicas
//! listen on one port, each at its own address, as behind one DNS name.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use reqwest::{Certificate, Client, ClientBuilder};

/// Connections of one browser, by replica.
#[derive(Debug)]
pub(crate) struct TlsRoutes {
    authority: String,
    name: String,
    clients: Mutex<HashMap<SocketAddr, Client>>,
}

impl TlsRoutes {
    pub(crate) fn new(authority: &str, name: &str) -> Self {
        let (authority, name) = (authority.to_owned(), name.to_owned());
        Self { authority, name, clients: Mutex::default() }
    }

    /// The same without any connection.
    pub(crate) fn without_connections(&self) -> Self {
        Self::new(&self.authority, &self.name)
    }

    /// The HTTP client for the replica at an address.
    pub(crate) fn client_for(&self, address: SocketAddr) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(address).or_insert_with(|| {
            let builder = client_trusting(&self.authority).resolve(&self.name, address);
            let builder = builder.redirect(reqwest::redirect::Policy::none()).no_proxy();
            builder.build().expect("a client")
        });
        client.clone()
    }
}

/// A builder of HTTP clients that trust one authority only.
pub(crate) fn client_trusting(authority: &str) -> ClientBuilder {
    let root = Certificate::from_pem(authority.as_bytes()).expect("a certificate");
    Client::builder().tls_certs_only([root])
}
