//! The misuse cases: each a test that names its number.

mod attacks;
mod browsers;
mod budget;
mod canaries;
mod codes;
mod devices;
mod inactive;
mod input;
mod jwt;
mod limits;
mod networks;
mod oauth;
mod second_step;
mod secrets;
mod sessions;
mod statements;
mod waits;
