//! The public listener itself: TLS, slow clients, connection limits, and how it closes.

mod connection_limits;
mod graceful_stop;
mod hard_stop;
mod http2_abuse;
mod http2_client;
mod http2_frames;
mod raw_client;
mod request_limits;
mod slow_clients;
mod tls;
