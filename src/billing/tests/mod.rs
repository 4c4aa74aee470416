mod bills;
mod counters;
mod distil;
mod evidence;
mod example;
mod properties;
mod samples;
mod transformers;
