//! An HTTP/2 client that works with frames (RFC 9113), which a library hides.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vestibule_tests::wait::until_done;

use super::http2_frames::{ACK, END_HEADERS, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, frame};

/// `:status: 503` and `retry-after: 2`, as encoded in the first response of a connection (RFC 7541, section 6.2.1: indexed
/// names, Huffman-coded values).
pub(super) const STATUS_503: &[u8] = &[0x48, 0x83, 0x6c, 0x0c, 0xff];
pub(super) const RETRY_AFTER_2: &[u8] = &[0x75, 0x81, 0x17];

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

/// One connection.
pub(super) struct Http2Client {
    stream: TcpStream,
    seen: Vec<Frame>,
}

impl Http2Client {
    pub(super) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("it listens");
        let mut new = Self { stream, seen: Vec::new() };
        new.stream.write_all(PREFACE).await.expect("written");
        new.send(SETTINGS, 0, 0, &[]).await;
        new
    }

    /// Begins a post without its body, and waits until the server has read this far.
    pub(super) async fn begin_post(&mut self, host: &str, path: &str) {
        // Indexed: POST, http. Literals: path, authority, and a custom name.
        let mut block = vec![0x83, 0x86];
        for (name, value) in [(&[0x04][..], path), (&[0x01], host)] {
            block.extend_from_slice(name);
            text(&mut block, value);
        }
        block.push(0);
        text(&mut block, "content-type");
        text(&mut block, "application/x-www-form-urlencoded");
        self.send(HEADERS, END_HEADERS, 1, &block).await;
        self.send(PING, 0, 0, b"are you?").await;
        loop {
            let frame = self.next().await.expect("an answer");
            if (frame.kind, frame.flags) == (PING, ACK) && frame.payload == b"are you?" {
                return;
            }
        }
    }

    /// Waits for a GOAWAY without an error, which promises an answer to the first stream (RFC 9113, section 6.8).
    pub(super) async fn wait_for_goaway(&mut self) {
        loop {
            let frame = self.next().await.expect("a GOAWAY before the end");
            if frame.kind == GOAWAY && frame.payload[..8] == [0, 0, 0, 1, 0, 0, 0, 0] {
                return;
            }
        }
    }

    /// All frames until the server closes the connection, earlier ones included.
    pub(super) async fn until_closed(mut self) -> Vec<Frame> {
        while self.next().await.is_some() {}
        self.seen
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // If the connection is closed by now, the next read detects it.
        let _ = self.stream.write_all(&frame(kind, flags, stream, payload)).await;
    }

    /// The next frame; pings are answered.
    async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let [l0, l1, l2, kind, flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, l0, l1, l2]);
            let mut payload = vec![0; usize::try_from(length).expect("small")];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
        };
        let frame = until_done("a frame or an end", read).await?;
        if (frame.kind, frame.flags) == (PING, 0) {
            self.send(PING, ACK, 0, &frame.payload).await;
        }
        self.seen.push(frame.clone());
        Some(frame)
    }
}

/// A literal string of less than 127 bytes, without Huffman coding (RFC 7541, section 5.2).
fn text(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).expect("a short text"));
    block.extend_from_slice(text.as_bytes());
}
