//! Usage, from samples on any route to the answers.

mod answers;
mod examples;
mod world;
