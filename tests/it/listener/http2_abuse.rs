//! A hostile client of HTTP/2, frame by frame (RFC 9113): it says nothing, never ends a head, never reads an answer, resets
//! what it asks. Each is cut off, and others are served meanwhile.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vestibule_tests::{app::TestApp, wait::until_done};

use super::{
    raw_client::RawConnection,
    slow_clients::{SHORT, app_with_limits, assert_served},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `PROTOCOL_ERROR` would be ours; this says that the client asks too much (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /oauth2/jwks`, in HPACK (RFC 7541): names from the static table, values written out.
fn head(app: &TestApp) -> Vec<u8> {
    head_of(app, "/oauth2/jwks")
}

/// The same of a page of several KiB.
fn page_head(app: &TestApp) -> Vec<u8> {
    head_of(app, "/nothing/is/here")
}

fn head_of(app: &TestApp, path: &str) -> Vec<u8> {
    let host = app.issuer().split_once("//").expect("an address").1;
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(0x04, path), (0x01, host)] {
        block.extend([name, u8::try_from(value.len()).expect("short")]);
        block.extend(value.as_bytes());
    }
    block
}

/// A connection that has greeted, with these settings: identifier and value.
async fn connect_with_settings(app: &TestApp, settings: &[(u16, u32)]) -> RawConnection {
    let mut raw = RawConnection::connect(app.first().address).await;
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| [id.to_be_bytes().to_vec(), value.to_be_bytes().to_vec()].concat())
        .collect();
    assert!(raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat()).await);
    raw
}

/// The frames of what was read: type and payload.
fn parse_frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 9 {
        let length =
            usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let end = (9 + length).min(bytes.len());
        found.push((bytes[3], &bytes[9..end]));
        bytes = &bytes[end..];
    }
    found
}

/// The reasons that the server gave for closing.
fn goaway_codes(bytes: &[u8]) -> Vec<u32> {
    let farewells = parse_frames(bytes).into_iter().filter(|(kind, _)| *kind == GOAWAY);
    farewells.map(|(_, p)| u32::from_be_bytes(p[4..8].try_into().expect("a code"))).collect()
}

/// Others are served, while this happens and after it.
async fn others_are_served<T>(app: &TestApp, meanwhile: impl Future<Output = T>) -> T {
    let (happened, ()) = tokio::join!(meanwhile, assert_served(app));
    assert_served(app).await;
    happened
}

/// Sends a piece again and again until the connection is closed; returns how many went out and what was said.
async fn flood(raw: RawConnection, mut piece: impl FnMut() -> Vec<u8>) -> (usize, Vec<u8>) {
    let (mut reader, mut writer) = raw.split();
    let mut said = Vec::new();
    let write = async {
        let mut sent = 0;
        while writer.write_all(&piece()).await.is_ok() {
            sent += 1;
        }
        sent
    };
    // Both end when the other side has closed: by an end, or by a reset.
    let both = async { tokio::join!(write, reader.read_to_end(&mut said)).0 };
    let sent = until_done("the connection is closed", both).await;
    (sent, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_http2_client_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut silent = connect_with_settings(&app, &[]).await;
    let (_, lived) = others_are_served(&app, silent.bytes_until_closed()).await;
    println!("a greeting and then nothing lived {lived:?} (limit {SHORT:?})");
    assert!(lived >= SHORT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_header_block_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut slow = connect_with_settings(&app, &[]).await;
    slow.send(&frame(HEADERS, END_STREAM, 1, &head(&app))).await;
    slow.send(&frame(CONTINUATION, 0, 1, &[])).await;
    let (said, lived) = others_are_served(&app, slow.bytes_until_closed()).await;
    println!("a head without END_HEADERS lived {lived:?} (limit {SHORT:?})");
    assert!(lived >= SHORT);
    assert!(parse_frames(&said).iter().all(|(kind, _)| *kind != HEADERS), "it was not answered");
}

/// A further head that is never ended has no time of its own: the connection counts as at rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_later_header_is_closed() {
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut slow = connect_with_settings(&app, &[]).await;
    let answered = frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(&app));
    let begun = [frame(HEADERS, END_STREAM, 3, &head(&app)), frame(CONTINUATION, 0, 3, &[])];
    slow.send(&[answered, begun.concat()].concat()).await;
    let (said, lived) = others_are_served(&app, slow.bytes_until_closed()).await;
    println!("a further head lived {lived:?} (limit {SHORT:?}, and 10 s to say goodbye)");
    assert!(lived >= SHORT);
    let answers = parse_frames(&said).into_iter().filter(|(kind, _)| *kind == HEADERS);
    assert_eq!(answers.count(), 1, "the first alone was answered");
    assert_eq!(goaway_codes(&said).first(), Some(&0), "it was told to go");
}

/// The size of a head is that of all its frames.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_continuation_headers_are_431() {
    // `:status: 431`, as the first answer of a connection has it (RFC 7541, section 6.2.1).
    const STATUS_431: &[u8] = &[0x48, 0x83, 0x69, 0x90, 0xff];
    let app = app_with_limits(|_| {}).await;
    let mut large = connect_with_settings(&app, &[]).await;
    // `x: ` and 6000 bytes, a literal that is not indexed; the length in three bytes (RFC 7541, section 5.1).
    let field = [&[0, 1, b'x', 0x7f, 0xf1, 0x2d][..], &[b'y'; 6000]].concat();
    let whole = [
        frame(HEADERS, END_STREAM, 1, &[head(&app), field.clone()].concat()),
        frame(CONTINUATION, 0, 1, &field),
        frame(CONTINUATION, END_HEADERS, 1, &field),
    ];
    large.send(&whole.concat()).await;
    let (mut reader, _writer) = large.split();
    let mut said = Vec::new();
    let answered = until_done("an answer", async {
        while parse_frames(&said).iter().all(|(kind, answer)| *kind != HEADERS || answer.len() < 5)
        {
            assert!(
                reader.read_buf(&mut said).await.unwrap() > 0,
                "closed: {:?}",
                goaway_codes(&said)
            );
        }
    });
    others_are_served(&app, answered).await;
    let frames = parse_frames(&said);
    let (_, answer) = frames.iter().find(|(kind, _)| *kind == HEADERS).expect("an answer");
    assert!(answer.starts_with(STATUS_431), "{answer:x?}");
}

/// Frame after frame of one head (CVE-2024-27983): neither kept without end nor read without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_continuation_is_closed() {
    let app = app_with_limits(|_| {}).await;
    let mut endless = connect_with_settings(&app, &[]).await;
    endless.send(&frame(HEADERS, END_STREAM, 1, &head(&app))).await;
    // `x: y` as a literal that is not indexed.
    let more = frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y']);
    let (sent, said) = others_are_served(&app, flood(endless, || more.clone())).await;
    println!("CONTINUATION without end: closed, {sent} frames went out, {:?}", goaway_codes(&said));
    assert!(parse_frames(&said).iter().all(|(kind, _)| *kind != DATA), "it was not answered");
}

/// The answer waits for a window that is never opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_window_client_is_closed() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut shut = connect_with_settings(&app, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    shut.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(&app))).await;
    let (said, lived) = others_are_served(&app, shut.bytes_until_closed()).await;
    println!("a window that stays shut lived {lived:?} (limit {SHORT:?}, and 10 s to say goodbye)");
    let frames = parse_frames(&said);
    assert!(frames.iter().any(|(kind, _)| *kind == HEADERS), "it was answered");
    assert!(frames.iter().all(|(kind, body)| *kind != DATA || body.is_empty()), "and not let in");
    assert!(lived >= SHORT);
}

/// Answers that are left lying while the client goes on asking: without a limit of their own the connection would live, and
/// each of them be kept, for as long as it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_responses_close_busy_connection() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    // Room for a byte: enough for a server that looks at the first piece only.
    let shut = connect_with_settings(&app, &[(INITIAL_WINDOW_SIZE, 1)]).await;
    let (block, mut next) = (page_head(&app), 1);
    let (mut reader, mut writer) = shut.split();
    let begun = std::time::Instant::now();
    let asking = async {
        loop {
            next += 2;
            if writer
                .write_all(&frame(HEADERS, END_STREAM | END_HEADERS, next, &block))
                .await
                .is_err()
            {
                return;
            }
            // Time itself is what is tested: a client that asks well within the limit of one that rests.
            tokio::time::sleep(SHORT / 8).await;
        }
    };
    let mut said = Vec::new();
    let both = async { tokio::join!(asking, reader.read_to_end(&mut said)).1 };
    // It does not live for as long as it asks. It ends by a reset or without one.
    let _ = others_are_served(&app, until_done("the connection is closed", both)).await;
    println!("answers that are left: closed after {:?} (limit {SHORT:?})", begun.elapsed());
    assert!(begun.elapsed() >= SHORT);
}

/// Streams that are opened and reset at once (CVE-2023-44487).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_reset_is_closed() {
    const AT_ONCE: u32 = 1000;
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    let app = app_with_limits(|_| {}).await;
    let rapid = connect_with_settings(&app, &[]).await;
    let (block, mut next) = (head(&app), 1);
    let burst = || {
        let mut all = Vec::new();
        for _ in 0..AT_ONCE {
            all.extend(frame(HEADERS, END_STREAM | END_HEADERS, next, &block));
            all.extend(frame(RST_STREAM, 0, next, &CANCEL));
            next += 2;
        }
        all
    };
    let (sent, said) = others_are_served(&app, flood(rapid, burst)).await;
    println!("rapid reset: closed, {sent} bursts of {AT_ONCE} went out, {:?}", goaway_codes(&said));
    let goodbye = goaway_codes(&said);
    assert!(goodbye.is_empty() || goodbye.contains(&ENHANCE_YOUR_CALM), "{goodbye:?}");
}
