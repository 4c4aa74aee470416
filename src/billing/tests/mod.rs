mod bills;
mod distil;
mod example;
mod properties;
mod transformers;
mod world;
