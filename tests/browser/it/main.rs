//! Every test that drives a real Chromium, in one binary.

mod journey;
mod keyboard;
mod screens;
mod script;
mod small_screen;
