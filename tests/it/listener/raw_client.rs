//! A client that writes raw bytes.

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

    /// Connects from another loopback address, which counts as another network.
    pub(super) async fn connect_from(own: &str, to: SocketAddr) -> Self {
        let begun = Instant::now();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{own}:0").parse().expect("an address")).expect("loopback");
        Self { stream: socket.connect(to).await.expect("it listens"), begun }
    }

    /// Connects with the smallest receive window that the system allows, so that the server can send little that is not
    /// read.
    pub(super) async fn connect_with_small_window(to: SocketAddr) -> Self {
        let begun = Instant::now();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("a size");
        Self { stream: socket.connect(to).await.expect("it listens"), begun }
    }

    /// Writes a text repeatedly and reads nothing, until the server has closed the connection; returns how many bytes were
    /// accepted, and how long the connection was open.
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

    /// Writes text; false if the server has closed the connection.
    pub(super) async fn write(&mut self, text: &str) -> bool {
        self.send(text.as_bytes()).await
    }

    /// Writes bytes; false if the server has closed the connection.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Both directions, to read and write at the same time.
    pub(super) fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.stream.into_split()
    }

    /// Reads a response: the head, and a body of the length that it declares.
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

    /// Reads until the server closes the connection; returns the text, and how long the connection was open.
    pub(super) async fn until_closed(&mut self) -> (String, Duration) {
        let (bytes, open_for) = self.bytes_until_closed().await;
        (String::from_utf8_lossy(&bytes).into_owned(), open_for)
    }

    /// Reads bytes until the server closes the connection.
    pub(super) async fn bytes_until_closed(&mut self) -> (Vec<u8>, Duration) {
        let mut bytes = Vec::new();
        // A reset ends the connection, too.
        let _ = until_done("the other side closes", self.stream.read_to_end(&mut bytes)).await;
        (bytes, self.begun.elapsed())
    }

    /// Sends a byte every 30 ms until the server closes the connection; returns the response.
    pub(super) async fn drip(&mut self, byte: u8) -> (String, Duration) {
        let (mut reader, mut writer) = self.stream.split();
        let mut text = Vec::new();
        let dripped = async {
            while writer.write_all(&[byte]).await.is_ok() {
                // This delay is the slow client under test.
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
