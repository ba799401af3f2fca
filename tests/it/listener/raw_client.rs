//! A client that writes what it likes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use vestibule_tests::wait::{LIMIT, until_done};

/// One connection.
pub(super) struct RawConnection {
    stream: TcpStream,
    begun: Instant,
}

impl RawConnection {
    pub(super) async fn connect(to: SocketAddr) -> Self {
        let begun = Instant::now();
        Self { stream: TcpStream::connect(to).await.expect("it listens"), begun }
    }

    /// From another address of loopback, which is another network.
    pub(super) async fn connect_from(own: &str, to: SocketAddr) -> Self {
        let begun = Instant::now();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{own}:0").parse().expect("an address")).expect("loopback");
        Self { stream: socket.connect(to).await.expect("it listens"), begun }
    }

    /// Over which the other side can send little that is not read: the smallest window that the system gives.
    pub(super) async fn connect_with_small_window(to: SocketAddr) -> Self {
        let begun = Instant::now();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("a size");
        Self { stream: socket.connect(to).await.expect("it listens"), begun }
    }

    /// Writes the same again and again and reads nothing, until the other side has closed; how many bytes were taken, and how
    /// long the connection has lived by then.
    pub(super) async fn write_without_reading(&mut self, text: &str) -> (usize, Duration) {
        let mut taken = 0;
        let poured = async {
            let mut rest = text.as_bytes();
            while let Ok(many) = self.stream.write(rest).await {
                taken += many;
                rest = &rest[many..];
                if rest.is_empty() {
                    rest = text.as_bytes();
                }
            }
        };
        until_done("the other side closes", poured).await;
        (taken, self.begun.elapsed())
    }

    /// Writes; false when the other side has closed.
    pub(super) async fn write(&mut self, text: &str) -> bool {
        self.send(text.as_bytes()).await
    }

    /// The same with what is no text.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Both directions, for whoever reads while it writes.
    pub(super) fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.stream.into_split()
    }

    /// Everything up to the end of a head, and the body of the length that it says.
    pub(super) async fn read_response(&mut self) -> String {
        let read = async {
            let mut text = String::new();
            while !is_whole(&text) {
                let mut buffer = [0; 4096];
                let many = self.stream.read(&mut buffer).await.expect("an answer");
                assert!(many > 0, "closed in the middle of an answer: {text}");
                text.push_str(&String::from_utf8_lossy(&buffer[..many]));
            }
            text
        };
        until_done("an answer", read).await
    }

    /// Whatever comes until the other side closes, and how long the connection has lived by then.
    pub(super) async fn until_closed(&mut self) -> (String, Duration) {
        let (bytes, lived) = self.bytes_until_closed().await;
        (String::from_utf8_lossy(&bytes).into_owned(), lived)
    }

    /// The same as it came.
    pub(super) async fn bytes_until_closed(&mut self) -> (Vec<u8>, Duration) {
        let mut bytes = Vec::new();
        // A reset is an end, too.
        let _ = until_done("the other side closes", self.stream.read_to_end(&mut bytes)).await;
        (bytes, self.begun.elapsed())
    }

    /// Sends a byte every 30 ms until the other side closes; returns what it said.
    pub(super) async fn drip(&mut self, byte: u8) -> (String, Duration) {
        let (mut reader, mut writer) = self.stream.split();
        let mut text = Vec::new();
        let dripped = async {
            while writer.write_all(&[byte]).await.is_ok() {
                // A client that takes its time is what is tested.
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = reader.read_to_end(&mut text) => {}
            () = dripped => {}
            () = tokio::time::sleep(LIMIT) => panic!("still open after {LIMIT:?}"),
        }
        (String::from_utf8_lossy(&text).into_owned(), self.begun.elapsed())
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_lowercase();
    if head.starts_with("http/1.1 100") {
        return true;
    }
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |length| length.trim().parse().expect("a number"))
}
