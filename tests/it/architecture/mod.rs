//! The structure of the tree, held by tests: which module may import which, that no two files import each
//! other, that the tables of a read model are named in its folder alone, and that what the documents name
//! exists.

mod directions;
mod documents;
mod source;
mod tables;
mod tasks;
