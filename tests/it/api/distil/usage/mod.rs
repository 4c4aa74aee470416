//! Usage, from samples that came by whichever way to what is answered.

mod answers;
mod examples;
mod world;
