// Runs on this machine, and compiles C for the target.
fn main() {
    cc::Build::new().file("src/double.c").compile("double");
    println!("cargo:rerun-if-changed=src/double.c");
}
