//! The `stackledger` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    stackledger::cli::main()
}
