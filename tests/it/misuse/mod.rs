//! The misuse cases: each test has the number of its case in its name.

mod account_enumeration;
mod attacks;
mod browsers;
mod canaries;
mod codes;
mod devices;
mod guess_budget;
mod inactive;
mod input;
mod jwt;
mod limits;
mod networks;
mod oauth;
mod paused_guesses;
mod second_step;
mod secrets;
mod sessions;
mod stranger_delays;
