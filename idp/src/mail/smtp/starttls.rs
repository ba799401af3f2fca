//! STARTTLS on the bare TCP connection (RFC 3207).
//!
//! lettre keeps what it has read when it begins TLS. An attacker between us and the server could append answers to the
//! reply `220`, and they would be believed as if the server had sent them over TLS. Here nothing may follow a reply,
//! and nothing that was read before TLS is kept (RFC 3207, section 4.2).

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// More than any greeting or list of extensions has.
const MAX_REPLY_BYTES: usize = 16 * 1024;

/// Reads the greeting, and makes the server wait for TLS.
///
/// # Errors
/// For the log: why TLS cannot begin.
pub(super) async fn request_upgrade(tcp: &mut TcpStream, hello: &str) -> Result<(), String> {
    expect_reply(tcp, "220").await?;
    tcp.write_all(format!("EHLO {hello}\r\n").as_bytes()).await.map_err(describe)?;
    let extensions = expect_reply(tcp, "250").await?;
    if !offers_starttls(&extensions) {
        return Err("the server does not offer STARTTLS".to_owned());
    }
    tcp.write_all(b"STARTTLS\r\n").await.map_err(describe)?;
    expect_reply(tcp, "220").await?;
    Ok(())
}

/// Reads one reply, which must have this code.
async fn expect_reply(tcp: &mut TcpStream, code: &str) -> Result<String, String> {
    let reply = read_reply(tcp).await?;
    if reply.starts_with(code) {
        Ok(reply)
    } else {
        Err(format!("the server answered before STARTTLS: {}", reply.trim_end()))
    }
}

async fn read_reply(tcp: &mut TcpStream) -> Result<String, String> {
    let mut received = Vec::new();
    loop {
        if let Some((reply, rest)) = split_reply(&received) {
            if !rest.is_empty() {
                return Err(
                    "more than one reply came before TLS; an attacker between this machine \
                            and the mail server may have added it"
                        .to_owned(),
                );
            }
            return Ok(String::from_utf8_lossy(reply).into_owned());
        }
        if received.len() > MAX_REPLY_BYTES {
            return Err("the reply before STARTTLS is too long".to_owned());
        }
        if tcp.read_buf(&mut received).await.map_err(describe)? == 0 {
            return Err("the server closed the connection before STARTTLS".to_owned());
        }
    }
}

/// Splits a whole reply from what follows it: the last of its lines has no `-` after the code (RFC 5321, section
/// 4.2.1).
fn split_reply(received: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 0;
    for line in received.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        match (line.get(3), line.last()) {
            (_, last) if last != Some(&b'\n') => return None,
            (Some(b'-'), _) => {}
            _ => return received.split_at_checked(end),
        }
    }
    None
}

fn offers_starttls(extensions: &str) -> bool {
    extensions.lines().filter_map(|line| line.get(4..)).any(|name| {
        name.split_whitespace().next().is_some_and(|name| name.eq_ignore_ascii_case("STARTTLS"))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn describe(error: std::io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_ends_with_its_last_line() {
        for (received, rest) in [
            ("", None),
            ("220 rea", None),
            ("220 ready\r\n", Some("")),
            ("250-a\r\n250-STARTTLS\r\n", None),
            ("250-a\r\n250 b\r\n", Some("")),
            ("220 go\r\n250 injected\r\n", Some("250 injected\r\n")),
            ("220 go\r\n2", Some("2")),
            ("x\n250 more", Some("250 more")),
        ] {
            let found = split_reply(received.as_bytes()).map(|(_, rest)| rest);
            assert_eq!(found, rest.map(str::as_bytes), "{received:?}");
        }
    }

    #[test]
    fn starttls_is_found_among_extensions() {
        for offered in ["250 STARTTLS\r\n", "250-x\r\n250-starttls\r\n250 y\r\n"] {
            assert!(offers_starttls(offered), "{offered:?}");
        }
        for other in ["250 x\r\n", "250-XSTARTTLS\r\n250 AUTH STARTTLS\r\n", "250\r\n"] {
            assert!(!offers_starttls(other), "{other:?}");
        }
    }
}
