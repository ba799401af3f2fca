//! The public listener itself: TLS, slow clients, greedy clients, and how it closes.

mod frames;
mod places;
mod raw;
mod slow;
mod stop;
mod tls;
