mod bills;
mod counters;
mod distil;
mod example;
mod properties;
mod samples;
mod transformers;
