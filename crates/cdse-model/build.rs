//! Says to the library's code that it is built for a model checker.
#![allow(clippy::print_stdout, reason = "cargo reads it")]

fn main() {
    println!("cargo::rustc-cfg=cdse_model");
    println!("cargo::rerun-if-changed=build.rs");
}
