//! From brokers and files into the log, whatever fails meanwhile.

mod ceilometer;
mod cloud;
mod cloudevents;
mod compression;
mod delivery_limit;
mod file;
mod poison;
mod recovery;
mod signatures;
mod sink;
mod topology;
mod unconsumed;
mod unreadable;
mod unrouted;
