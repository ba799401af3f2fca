//! The answer to a head that is larger than `limits.header_size`: 431 (RFC 6585, section 5) with a text, because the sender
//! is most often the browser of a person, with many cookies of neighbouring sites.
//!
//! * **HTTP/1.1.** hyper does not keep such a head and answers it by itself, without a text. [`TextAdder`] adds the text to
//!   that answer on its way to the client.
//! * **HTTP/2.** The library answers by itself, too, and its answer cannot be told from others in the bytes. So it gets
//!   [`HTTP2_FACTOR`] times the limit, and a head between the two is answered by [`answer`].

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
};
use hyper::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// By how much the limit of the HTTP/2 library is higher.
pub(super) const HTTP2_FACTOR: u32 = 2;

const TEXT: &str = "Your browser sent more than this service accepts, most likely too many cookies of sites with a \
                    similar address.\nDelete the cookies of this site in your browser, and try again.\n\n\
                    He nui rawa ngā raraunga i tukuna mai e tō pūtirotiro, he pihikete pērā nō ētahi atu pae.\n\
                    Mukua ngā pihikete o tēnei pae i tō pūtirotiro, ka whakamātau anō.\n";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
/// What a field of a head counts beside its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// Whether the head of an HTTP/2 request is larger than a limit.
pub(super) fn is_oversize(uri: &Uri, headers: &HeaderMap, limit: u32) -> bool {
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let size: usize = fields.map(|field| field + FIELD_OVERHEAD).sum();
    let address = uri.path_and_query().map_or(0, |path| path.as_str().len() + FIELD_OVERHEAD);
    size + address > usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The answer to such a head.
pub(super) fn answer() -> Response<Body> {
    let mut response = Response::new(Body::from(TEXT));
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    for (name, value) in [
        (header::CONTENT_TYPE, TEXT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A stream of HTTP/1.1 that adds the text to an answer 431 without one. No handler answers so.
#[derive(Debug)]
pub(super) struct TextAdder<S> {
    stream: S,
    /// An answer with the text that is being written.
    completed: Option<CompletedAnswer>,
}

#[derive(Debug)]
struct CompletedAnswer {
    bytes: Vec<u8>,
    written: usize,
    /// How many bytes of the caller it stands for.
    stands_for: usize,
}

impl<S> TextAdder<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, completed: None }
    }
}

/// The answer with the text, if these bytes are an answer 431 without one.
fn completed_answer(bytes: &[u8]) -> Option<CompletedAnswer> {
    const NO_LENGTH: &str = "\r\ncontent-length: 0\r\n";
    if !bytes.starts_with(b"HTTP/1.1 431 ") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?;
    if !head.ends_with("\r\n\r\n") || !head.contains(NO_LENGTH) {
        return None;
    }
    let length = TEXT.len();
    let fields = format!(
        "\r\ncontent-length: {length}\r\ncontent-type: {TEXT_TYPE}\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\n"
    );
    let completed = head.replacen(NO_LENGTH, &fields, 1) + TEXT;
    Some(CompletedAnswer { bytes: completed.into_bytes(), written: 0, stands_for: bytes.len() })
}

impl<S: AsyncRead + Unpin> AsyncRead for TextAdder<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TextAdder<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.completed.is_none() {
            this.completed = completed_answer(bytes);
        }
        let Some(answer) = &mut this.completed else {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        };
        while let Some(rest) = answer.bytes.get(answer.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut this.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            answer.written += count;
        }
        let stands_for = answer.stands_for;
        this.completed = None;
        Poll::Ready(Ok(stands_for))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices.iter().find(|slice| !slice.is_empty()) {
            Some(first) if self.completed.is_some() || completed_answer(first).is_some() => {
                self.poll_write(cx, first)
            }
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                        content-length: 0\r\ndate: Mon, 30 Nov 2026 16:00:00 GMT\r\n\r\n";

    /// What a client reads of these bytes, from a stream that takes few bytes at once.
    async fn sent(bytes: &str) -> String {
        let (client, server) = tokio::io::duplex(7);
        let (mut client, mut server) = (client, TextAdder::new(server));
        let write = async {
            server.write_all(bytes.as_bytes()).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let mut read = String::new();
        let ((), read_to_end) = tokio::join!(write, client.read_to_string(&mut read));
        read_to_end.unwrap();
        read
    }

    #[tokio::test]
    async fn empty_431_answer_gets_text() {
        let answer = sent(BARE).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, TEXT);
        assert!(head.contains(&format!("content-length: {}\r\n", TEXT.len())), "{head}");
        assert!(head.contains("connection: close") && head.contains("date: "), "{head}");
    }

    #[tokio::test]
    async fn other_answers_stay_the_same() {
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 2\r\n\r\nno",
            "HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(sent(other).await, other);
        }
    }

    #[test]
    fn http2_head_counts_every_field() {
        let uri: Uri = "https://localhost/oauth2/jwks".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("0123456789"));
        // `cookie` and its value, `/oauth2/jwks`, and 32 for each.
        assert!(!is_oversize(&uri, &headers, 6 + 10 + 12 + 64));
        assert!(is_oversize(&uri, &headers, 6 + 10 + 12 + 63));
    }
}
