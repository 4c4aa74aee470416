mod bills;
mod distil;
mod example;
mod properties;
mod samples;
mod transformers;
