//! A collector of traces: OTLP over HTTP, decoded as far as the tests need (opentelemetry-proto, `trace/v1`).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::wait;

/// A span that was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Trace, as 32 hexadecimal digits.
    pub trace: String,
    /// Id, as 16 hexadecimal digits.
    pub id: String,
    /// The parent's id; empty for a root.
    pub parent: String,
    /// Name.
    pub name: String,
    /// Attributes, numbers as text.
    pub attributes: BTreeMap<String, String>,
    /// Statements that ran in it, in order.
    pub statements: Vec<String>,
}

#[derive(Debug, Default)]
struct ReceivedTraces {
    spans: Vec<Span>,
    /// Complete bodies, to check what they must not contain.
    raw: Vec<u8>,
}

/// The collector. It stops when the value is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<ReceivedTraces>>,
    server: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Collector {
    /// Starts on a free loopback port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let got = Arc::<Mutex<ReceivedTraces>>::default();
        let kept = Arc::clone(&got);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let got = Arc::clone(&kept);
                tokio::spawn(async move { serve(stream, &got).await });
            }
        });
        Self { address, received: got, server }
    }

    /// The value for `telemetry.otlp_endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().expect("no writer panicked").spans.clone()
    }

    /// Whether any body contained this text.
    pub fn has(&self, text: &str) -> bool {
        let got = self.received.lock().expect("no writer panicked");
        got.raw.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Waits until `ready` accepts the spans.
    pub async fn wait(&self, ready: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let look = async || {
            let spans = self.spans();
            if ready(&spans) { Ok(spans) } else { Err(spans) }
        };
        wait::until("the spans", look).await
    }
}

/// Handles the requests of one connection, each `POST /v1/traces` with a length.
async fn serve(mut stream: TcpStream, got: &Mutex<ReceivedTraces>) -> Option<()> {
    let mut input = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            read_more(&mut stream, &mut input).await?;
        };
        let text = String::from_utf8_lossy(&input[..head]).to_lowercase();
        assert!(text.starts_with("post /v1/traces http/1.1"), "{text}");
        assert!(text.contains("content-type: application/x-protobuf"), "{text}");
        let (_, length) = text.split_once("content-length: ").expect("a length");
        let length: usize = length.lines().next()?.trim().parse().expect("a number");
        while input.len() < head + length {
            read_more(&mut stream, &mut input).await?;
        }
        let body: Vec<u8> = input.drain(..head + length).skip(head).collect();
        {
            let mut got = got.lock().expect("no writer panicked");
            got.spans.extend(spans(&body));
            got.raw.extend(body);
        }
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn read_more(stream: &mut TcpStream, input: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(input).await.ok()?;
    (read > 0).then_some(())
}

/// A field of a protobuf message: its number with its bytes or its numeric value.
enum Field<'m> {
    Bytes(u64, &'m [u8]),
    Number(u64),
}

/// The fields of a message (Protocol Buffers, "Encoding").
fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let number = key >> 3;
        match key & 7 {
            0 => found.push(Field::Number(varint(&mut message))),
            1 => {
                let (value, rest) = message.split_at(8);
                found.push(Field::Number(u64::from_le_bytes(value.try_into().expect("eight"))));
                message = rest;
            }
            2 => {
                let length = usize::try_from(varint(&mut message)).expect("a length");
                let (value, rest) = message.split_at(length);
                found.push(Field::Bytes(number, value));
                message = rest;
            }
            5 => message = &message[4..],
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().expect("a whole number");
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn nested_fields(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).into_iter().filter_map(move |field| match field {
        Field::Bytes(number, bytes) if number == wanted => Some(bytes),
        _ => None,
    })
}

/// `ExportTraceServiceRequest.resource_spans(1).scope_spans(2).spans(2)`.
fn spans(request: &[u8]) -> Vec<Span> {
    let of_scopes = nested_fields(request, 1).flat_map(|resource| nested_fields(resource, 2));
    of_scopes.flat_map(|scope| nested_fields(scope, 2)).map(span).collect()
}

/// `Span`: `trace_id` 1, `span_id` 2, `parent_span_id` 4, `name` 5, `attributes` 9, `events` 11; `Event`: `attributes` 3.
fn span(message: &[u8]) -> Span {
    let hex = |number| {
        let bytes = nested_fields(message, number).next().unwrap_or_default();
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    Span {
        trace: hex(1),
        id: hex(2),
        parent: hex(4),
        name: nested_fields(message, 5).next().map(text).unwrap_or_default(),
        attributes: nested_fields(message, 9).map(attribute).collect(),
        statements: nested_fields(message, 11)
            .flat_map(|event| nested_fields(event, 3).map(attribute))
            .filter_map(|(key, value)| (key == "db.query.text").then_some(value))
            .collect(),
    }
}

/// `KeyValue`: `key` 1, `value` 2; `AnyValue`: `string_value` 1, `int_value` 3.
fn attribute(message: &[u8]) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let key = nested_fields(message, 1).next().map(text).unwrap_or_default();
    let value = nested_fields(message, 2).flat_map(fields).map(|field| match field {
        Field::Bytes(_, bytes) => text(bytes),
        Field::Number(number) => number.to_string(),
    });
    (key, value.collect())
}
