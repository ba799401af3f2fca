//! A hostile HTTP/2 client, frame by frame (RFC 9113): it is silent, never ends a header block, never reads a response, or
//! resets its requests. Each connection is closed, and others are served meanwhile.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vestibule_tests::{app::TestApp, wait::until_done};

use super::{
    http2_frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PREFACE,
        RST_STREAM, SETTINGS, frame,
    },
    raw_client::RawConnection,
    slow_clients::{SHORT, app_with_limits, assert_served},
};

/// `PROTOCOL_ERROR` would be a fault of the server; this code means excessive load (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// `GET /oauth2/jwks` in HPACK (RFC 7541): names from the static table, literal values.
fn head(app: &TestApp) -> Vec<u8> {
    head_of(app, "/oauth2/jwks")
}

/// The same for a page of several KiB.
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

/// A connection that has sent its preface and these settings: identifier and value.
async fn connect_with_settings(app: &TestApp, settings: &[(u16, u32)]) -> RawConnection {
    let mut raw = RawConnection::connect(app.first().address).await;
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| [id.to_be_bytes().to_vec(), value.to_be_bytes().to_vec()].concat())
        .collect();
    assert!(raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat()).await);
    raw
}

/// The frames in the bytes: type and payload.
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

/// The error codes of the server's GOAWAY frames.
fn goaway_codes(bytes: &[u8]) -> Vec<u32> {
    let goaways = parse_frames(bytes).into_iter().filter(|(kind, _)| *kind == GOAWAY);
    goaways.map(|(_, p)| u32::from_be_bytes(p[4..8].try_into().expect("a code"))).collect()
}

/// Others are served, during this and after it.
async fn others_are_served<T>(app: &TestApp, meanwhile: impl Future<Output = T>) -> T {
    let (happened, ()) = tokio::join!(meanwhile, assert_served(app));
    assert_served(app).await;
    happened
}

/// Sends a piece repeatedly until the connection is closed; returns how many were sent and the response bytes.
async fn flood(raw: RawConnection, mut piece: impl FnMut() -> Vec<u8>) -> (usize, Vec<u8>) {
    let (mut reader, mut writer) = raw.split();
    let mut response = Vec::new();
    let write = async {
        let mut sent = 0;
        while writer.write_all(&piece()).await.is_ok() {
            sent += 1;
        }
        sent
    };
    // Both end when the server has closed the connection, with a FIN or a reset.
    let both = async { tokio::join!(write, reader.read_to_end(&mut response)).0 };
    let sent = until_done("the connection is closed", both).await;
    (sent, response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_http2_client_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut silent = connect_with_settings(&app, &[]).await;
    let (_, open_for) = others_are_served(&app, silent.bytes_until_closed()).await;
    println!("a silent connection was closed after {open_for:?} (limit {SHORT:?})");
    assert!(open_for >= SHORT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_header_block_is_closed() {
    let app = app_with_limits(|limits| limits.header_time = SHORT).await;
    let mut slow = connect_with_settings(&app, &[]).await;
    slow.send(&frame(HEADERS, END_STREAM, 1, &head(&app))).await;
    slow.send(&frame(CONTINUATION, 0, 1, &[])).await;
    let (response, open_for) = others_are_served(&app, slow.bytes_until_closed()).await;
    println!("a header block without END_HEADERS was closed after {open_for:?} (limit {SHORT:?})");
    assert!(open_for >= SHORT);
    assert!(
        parse_frames(&response).iter().all(|(kind, _)| *kind != HEADERS),
        "it was not answered"
    );
}

/// A later header block that never ends has no time limit of its own: the connection counts as idle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_later_header_is_closed() {
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut slow = connect_with_settings(&app, &[]).await;
    let answered = frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(&app));
    let begun = [frame(HEADERS, END_STREAM, 3, &head(&app)), frame(CONTINUATION, 0, 3, &[])];
    slow.send(&[answered, begun.concat()].concat()).await;
    let (response, open_for) = others_are_served(&app, slow.bytes_until_closed()).await;
    println!(
        "a later header block was closed after {open_for:?} (limit {SHORT:?}, and 10 s for GOAWAY)"
    );
    assert!(open_for >= SHORT);
    let answers = parse_frames(&response).into_iter().filter(|(kind, _)| *kind == HEADERS);
    assert_eq!(answers.count(), 1, "only the first one was answered");
    assert_eq!(goaway_codes(&response).first(), Some(&0), "it was sent a GOAWAY");
}

/// The size limit of a header block covers all its frames.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_continuation_headers_are_431() {
    // `:status: 431`, as encoded in the first response of a connection (RFC 7541, section 6.2.1).
    const STATUS_431: &[u8] = &[0x48, 0x83, 0x69, 0x90, 0xff];
    let app = app_with_limits(|_| {}).await;
    let mut large = connect_with_settings(&app, &[]).await;
    // `x: ` and 6000 bytes, a literal without indexing; the length takes three bytes (RFC 7541, section 5.1).
    let field = [&[0, 1, b'x', 0x7f, 0xf1, 0x2d][..], &[b'y'; 6000]].concat();
    let whole = [
        frame(HEADERS, END_STREAM, 1, &[head(&app), field.clone()].concat()),
        frame(CONTINUATION, 0, 1, &field),
        frame(CONTINUATION, END_HEADERS, 1, &field),
    ];
    large.send(&whole.concat()).await;
    let (mut reader, _writer) = large.split();
    let mut response = Vec::new();
    let answered = until_done("an answer", async {
        while parse_frames(&response)
            .iter()
            .all(|(kind, answer)| *kind != HEADERS || answer.len() < 5)
        {
            assert!(
                reader.read_buf(&mut response).await.unwrap() > 0,
                "closed: {:?}",
                goaway_codes(&response)
            );
        }
    });
    others_are_served(&app, answered).await;
    let frames = parse_frames(&response);
    let (_, answer) = frames.iter().find(|(kind, _)| *kind == HEADERS).expect("an answer");
    assert!(answer.starts_with(STATUS_431), "{answer:x?}");
}

/// Endless frames of one header block (CVE-2024-27983): they are neither stored nor read without a limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_continuation_is_closed() {
    let app = app_with_limits(|_| {}).await;
    let mut endless = connect_with_settings(&app, &[]).await;
    endless.send(&frame(HEADERS, END_STREAM, 1, &head(&app))).await;
    // `x: y` as a literal without indexing.
    let more = frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y']);
    let (sent, response) = others_are_served(&app, flood(endless, || more.clone())).await;
    println!(
        "CONTINUATION without end: closed, {sent} frames were sent, {:?}",
        goaway_codes(&response)
    );
    assert!(parse_frames(&response).iter().all(|(kind, _)| *kind != DATA), "it was not answered");
}

/// The response waits for a flow-control window that never opens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_window_client_is_closed() {
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    let mut no_window = connect_with_settings(&app, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    no_window.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(&app))).await;
    let (response, open_for) = others_are_served(&app, no_window.bytes_until_closed()).await;
    println!("a closed window: closed after {open_for:?} (limit {SHORT:?}, and 10 s for GOAWAY)");
    let frames = parse_frames(&response);
    assert!(frames.iter().any(|(kind, _)| *kind == HEADERS), "it was answered");
    assert!(frames.iter().all(|(kind, body)| *kind != DATA || body.is_empty()), "no data was sent");
    assert!(open_for >= SHORT);
}

/// A client sends requests and reads no responses: without a separate limit the connection, and each response, would be kept
/// for as long as requests arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_responses_close_busy_connection() {
    let app = app_with_limits(|limits| limits.idle_time = SHORT).await;
    // A window of one byte: enough for a server that only waits for the first piece.
    let no_window = connect_with_settings(&app, &[(INITIAL_WINDOW_SIZE, 1)]).await;
    let (block, mut next) = (page_head(&app), 1);
    let (mut reader, mut writer) = no_window.split();
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
            // Time itself is tested: requests arrive well within the idle limit.
            tokio::time::sleep(SHORT / 8).await;
        }
    };
    let mut response = Vec::new();
    let both = async { tokio::join!(asking, reader.read_to_end(&mut response)).1 };
    // It is closed although requests still arrive, with a reset or without one.
    let _ = others_are_served(&app, until_done("the connection is closed", both)).await;
    println!("unread responses: closed after {:?} (limit {SHORT:?})", begun.elapsed());
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
    let (sent, response) = others_are_served(&app, flood(rapid, burst)).await;
    println!(
        "rapid reset: closed, {sent} bursts of {AT_ONCE} were sent, {:?}",
        goaway_codes(&response)
    );
    let goaway = goaway_codes(&response);
    assert!(goaway.is_empty() || goaway.contains(&ENHANCE_YOUR_CALM), "{goaway:?}");
}
