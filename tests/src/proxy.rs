//! A TCP proxy whose server can be changed and whose connections can be cut, like a virtual address in a failover.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// The proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    cut: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free loopback port for a server on another port.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = Arc::new(Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))));
        let (cut, _) = watch::channel(());
        let task = tokio::spawn(accept(listener, Arc::clone(&server), cut.clone()));
        Self { address, server, cut, task }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sends new connections to another server, and cuts the existing ones.
    pub fn move_to(&self, port: u16) {
        *self.server.lock().expect("no holder panicked") = SocketAddr::from(([127, 0, 0, 1], port));
        self.cut.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: Arc<Mutex<SocketAddr>>, cut: watch::Sender<()>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let to = *server.lock().expect("no holder panicked");
        let mut cut = cut.subscribe();
        connections.spawn(async move {
            let Ok(mut server) = TcpStream::connect(to).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                _ = cut.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn says(text: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(text.as_bytes()).await.unwrap();
                // Stays open until the other side closes.
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        port
    }

    #[tokio::test]
    async fn move_cuts_and_redirects_connections() {
        let (one, two) = (says("one").await, says("two").await);
        let proxy = Proxy::start(one).await;
        let mut read = [0; 3];
        let mut first = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        first.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one");
        proxy.move_to(two);
        assert!(!matches!(first.read(&mut read).await, Ok(1..)), "cut");
        let mut second = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        second.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"two");
    }
}
