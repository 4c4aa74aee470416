//! The `stackledger` binary. All code is in the library.

fn main() -> std::process::ExitCode {
    stackledger::cli::main()
}
