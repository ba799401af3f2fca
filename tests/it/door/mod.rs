//! The public listener itself: TLS, slow clients, greedy clients, and how it closes.

mod frames;
mod hard_stop;
mod hostile;
mod places;
mod raw;
mod slow;
mod stop;
mod tls;
