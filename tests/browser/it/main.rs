//! Every test that drives a real Chromium, in one binary.

mod journey;
mod keyboard;
mod passkeys;
mod return_to_client;
mod screens;
mod script;
mod small_screen;
