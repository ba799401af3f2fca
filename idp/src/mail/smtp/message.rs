//! One message in one SMTP transaction (RFC 5321, section 3.3).

use lettre::{
    Address,
    address::Envelope,
    transport::smtp::{
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Rcpt},
        extension::{Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};

use super::SendError;

/// Offers the message. The connection cannot be used again after an error.
pub(super) async fn transfer(
    smtp: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Response, SendError> {
    let refused = |error: lettre::transport::smtp::Error| SendError::from_message_error(&error);
    let content = encode_content(bytes)?;
    let parameters = mail_parameters(smtp, envelope, bytes)?;
    smtp.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(refused)?;
    for address in envelope.to() {
        smtp.command(Rcpt::new(address.clone(), Vec::new())).await.map_err(refused)?;
    }
    smtp.command(Data).await.map_err(refused)?;
    smtp.command(content).await.map_err(refused)
}

/// The message with its final dot, so that both leave in one write. lettre sends the dot by a write of its own.
fn encode_content(bytes: &[u8]) -> Result<String, SendError> {
    let text = std::str::from_utf8(bytes).map_err(|_| unsendable("the message is not UTF-8"))?;
    let mut content = String::with_capacity(text.len() + 64);
    if text.starts_with('.') {
        content.push('.');
    }
    content.push_str(&text.replace("\r\n.", "\r\n.."));
    if !content.ends_with("\r\n") {
        content.push_str("\r\n");
    }
    content.push_str(".\r\n");
    Ok(content)
}

/// The extensions that the message needs: SMTPUTF8 (RFC 6531) and 8BITMIME (RFC 6152).
fn mail_parameters(
    smtp: &AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Vec<MailParameter>, SendError> {
    let needed = [
        (
            !envelope.from().into_iter().chain(envelope.to()).all(is_ascii),
            Extension::SmtpUtfEight,
            MailParameter::SmtpUtfEight,
            "the address is not ASCII, and the server has no SMTPUTF8",
        ),
        (
            !bytes.is_ascii(),
            Extension::EightBitMime,
            MailParameter::Body(MailBodyParameter::EightBitMime),
            "the message is not ASCII, and the server has no 8BITMIME",
        ),
    ];
    let mut parameters = Vec::new();
    for (_, extension, parameter, why) in needed.into_iter().filter(|(is_needed, ..)| *is_needed) {
        if !smtp.server_info().supports_feature(extension) {
            return Err(unsendable(why));
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

fn is_ascii(address: &Address) -> bool {
    address.to_string().is_ascii()
}

/// Sending it again is useless.
fn unsendable(why: &str) -> SendError {
    SendError { permanent: true, text: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ends_with_one_dot() {
        for (message, content) in [
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
            (".a\r\n.\r\n..b\r\n", "..a\r\n..\r\n...b\r\n.\r\n"),
            ("a.b\r\n", "a.b\r\n.\r\n"),
        ] {
            assert_eq!(encode_content(message.as_bytes()).unwrap(), content, "{message:?}");
        }
        assert!(encode_content(b"\xff").unwrap_err().permanent);
    }
}
